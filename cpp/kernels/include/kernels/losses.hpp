// All losses: the one list of them.
#pragma once

#include "kernels/losses/exponential.hpp"
#include "kernels/losses/hinge.hpp"
#include "kernels/losses/logistic.hpp"
#include "kernels/losses/squared.hpp"
#include "kernels/losses/squared_hinge.hpp"

namespace fastgrok {

// Name, which is that of the value of Loss and of the loss in Python, and type. New ones come last.
// clang-format off
#define FASTGROK_LOSSES(use)         \
    use(logistic, Logistic)          \
    use(exponential, Exponential)    \
    use(squared_hinge, SquaredHinge) \
    use(hinge, Hinge)                \
    use(squared, Squared)
// clang-format on

#define FASTGROK_NAME(name, Type) name,
enum class Loss { FASTGROK_LOSSES(FASTGROK_NAME) };
#undef FASTGROK_NAME

#define FASTGROK_VALUE(name, Type) Loss::name,
inline constexpr Loss kLosses[] = {FASTGROK_LOSSES(FASTGROK_VALUE)};
#undef FASTGROK_VALUE

// What the passes over rows and the engines take for granted.
static constexpr bool is_sound(const LossTraits& loss) {
    return loss.unit > 0.0 &&
           (!loss.exponential_tail() || (loss.unit == kLog2E && loss.zero_above == kMostBits));
}
#define FASTGROK_CHECK(name, Type) static_assert(is_sound(Type::traits));
FASTGROK_LOSSES(FASTGROK_CHECK)
#undef FASTGROK_CHECK

// use(an object of the loss's type): the one place where what a run says becomes a type. static,
// because the kernels are compiled for several instruction sets.
template <class Use>
static inline decltype(auto) with_loss(Loss loss, Use use) {
#define FASTGROK_CASE(name, Type) \
    case Loss::name: return use(Type{});
    switch (loss) { FASTGROK_LOSSES(FASTGROK_CASE) }
#undef FASTGROK_CASE
    __builtin_unreachable();
}

static constexpr const char* name_of(Loss loss) {
#define FASTGROK_STRING(name, Type) #name,
    constexpr const char* all[] = {FASTGROK_LOSSES(FASTGROK_STRING)};
#undef FASTGROK_STRING
    return all[static_cast<int>(loss)];
}

static constexpr const LossTraits& traits_of(Loss loss) {
#define FASTGROK_TRAITS(name, Type) &Type::traits,
    constexpr const LossTraits* all[] = {FASTGROK_LOSSES(FASTGROK_TRAITS)};
#undef FASTGROK_TRAITS
    return *all[static_cast<int>(loss)];
}

}  // namespace fastgrok
