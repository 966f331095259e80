// The tables of kernels of this architecture, one for each instruction set, usable or not.
#pragma once

#include "kernels/kernels.hpp"

namespace fastgrok {

#if defined(__x86_64__)
namespace v2 {
extern const Kernels table;
}
namespace v3 {
extern const Kernels table;
}
namespace v4 {
extern const Kernels table;
}
#elif defined(__aarch64__)
namespace neon {
extern const Kernels table;
}
#else
#error "fastgrok supports x86-64 and arm64"
#endif

}  // namespace fastgrok
