// Pages of memory that a file is mapped to.
#pragma once

namespace fastgrok {

// Unmaps the whole pages in [begin, end), which must be mapped read-only from a file: they no
// longer count as memory of this process, and whoever looks at them again finds the file's
// contents.
void leave_pages(const void* begin, const void* end);

}  // namespace fastgrok
