// The parts of the program. Each prints its lines and returns whether all that must not change a
// bit did not: the number of threads, rows left out, company, pauses, where rows lie. But for the
// runs, which take 1 to 3 threads whatever they are told, no line depends on the number of threads.
#pragma once

namespace fastgrok {

bool print_kernels(int threads);     // the hot passes, dense and many at once
bool print_runs(int threads);        // plain descent
bool print_sparse(int threads);      // passes and runs over sparse rows
bool print_pairs(int threads);       // two passes for one reading
bool print_company(int threads);     // runs beside each other
bool print_optimizers(int threads);  // every step there is, kept and gone on from; cycles
bool print_leaps(int threads);       // runs that leap
bool print_questions(int threads);   // curvatures, maximum margins, attacks
bool print_elsewhere(int threads);   // rows that somebody else answers for

}  // namespace fastgrok
