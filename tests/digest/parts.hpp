// The parts of the program. Each prints its lines and returns whether all that must not change a
// bit did not: the number of threads, rows left out, company, pauses, where rows lie. But for the
// runs, which take 1 to 3 threads whatever they are told, no line depends on the number of threads.
#pragma once

namespace fastgrok {

struct Extent {
    int threads = 2;
    bool shared = false;  // only cases with so many rows that threads share them
};

bool print_kernels(const Extent& extent);     // the hot passes, dense and many at once
bool print_runs(const Extent& extent);        // plain descent
bool print_sparse(const Extent& extent);      // passes and runs over sparse rows
bool print_pairs(const Extent& extent);       // two passes for one reading
bool print_company(const Extent& extent);     // runs beside each other
bool print_optimizers(const Extent& extent);  // every step there is, kept and gone on from; cycles
bool print_leaps(const Extent& extent);       // runs that leap
bool print_questions(const Extent& extent);   // curvatures, maximum margins, attacks
bool print_elsewhere(const Extent& extent);   // rows that somebody else answers for

}  // namespace fastgrok
