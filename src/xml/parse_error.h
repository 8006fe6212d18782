// Why a stream's XML is refused. The stream machine maps each to a stream error (RFC 6120 §4.9.3).
#pragma once

#include <cstdint>

namespace kith::xml {

enum class ParseError : std::uint8_t {
  not_well_formed,
  restricted_xml,
  unsupported_encoding,
  limit_bytes,      ///< element_bytes, or one of the byte limits of names and values
  limit_structure,  ///< depth, attributes, children
  bad_format,       ///< text between first-level elements (RFC 6120 §4.9.3.1)
};

}  // namespace kith::xml
