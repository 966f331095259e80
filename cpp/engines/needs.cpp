#include "engines/needs.hpp"

#include <stdexcept>
#include <string>

namespace fastgrok {

void check_needs(const char* engine, LossNeeds needs, Loss loss) {
    for (const LossProperty& need : needs)
        if (!need.of(traits_of(loss)))
            throw std::invalid_argument(std::string(engine) + " needs a loss with the property '" +
                                        need.name + "', which '" + name_of(loss) + "' has not");
}

}  // namespace fastgrok
