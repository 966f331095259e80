// Where the time of a run goes, in seconds.
#pragma once

#include <chrono>

#include "engines/leap.hpp"

namespace fastgrok {

struct Spent {
    double exact = 0.0;                        // steps
    double evaluations = 0.0, products = 0.0;  // of the integration that is recorded
    double second = 0.0;                       // integration, which shows the error
    double checks = 0.0;                       // of leaps
    double records = 0.0;                      // of the whole run
};

// Adds the time until its end.
class Lap {
public:
    explicit Lap(double& sum) : sum_(sum) {}
    ~Lap() { sum_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
    Lap(const Lap&) = delete;
    Lap& operator=(const Lap&) = delete;

private:
    using Clock = std::chrono::steady_clock;
    double& sum_;
    Clock::time_point start_ = Clock::now();
};

// The same of steps of the integration that is recorded, products apart.
class StepsLap {
public:
    StepsLap(Spent& spent, const Leap& leap)
        : spent_(spent), leap_(leap), before_(multiplied()), lap_(spent.evaluations) {}
    ~StepsLap() {
        const double products = multiplied() - before_;
        spent_.products += products;
        spent_.evaluations -= products;
    }
    StepsLap(const StepsLap&) = delete;
    StepsLap& operator=(const StepsLap&) = delete;

private:
    double multiplied() const { return leap_.field().costs().multiplying; }

    Spent& spent_;
    const Leap& leap_;
    double before_;
    Lap lap_;
};

}  // namespace fastgrok
