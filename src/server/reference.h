// The generated documents: what can be set, and what is spoken. Made from the table of settings and from the features'
// descriptors, so that the documents cannot fall behind the program. Pure functions; any thread.
#pragma once

#include <span>
#include <string>

#include "module/module.h"

namespace kith::server {

/// docs/configuration.md.
std::string configuration_reference(std::span<const module::Registration> features);
/// docs/xeps.md.
std::string specifications_reference(std::span<const module::Registration> features);
/// doap.xml (XEP-0453 v0.1.2): the project as other programs read it.
std::string doap(std::span<const module::Registration> features);

}  // namespace kith::server
