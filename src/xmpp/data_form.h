// Data forms (XEP-0004 v2.13.2), as far as a server builds and reads them.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xml/element.h"
#include "xmpp/error.h"

namespace kith::xmpp {

struct FormField {
  std::string var;
  std::string type{};  ///< text-single, hidden, list-single …; empty if left out
  std::string label{};
  std::vector<std::string> values{};
  std::vector<std::pair<std::string, std::string>> options{};  ///< label, value
  bool required = false;
};

struct DataForm {
  std::string type;  ///< form, submit, cancel, result
  std::string title{};
  std::string instructions{};
  std::vector<FormField> fields{};

  const FormField* field(std::string_view var) const;
  /// The single value of a field, or nothing.
  std::optional<std::string_view> value(std::string_view var) const;
  xml::Element to_element() const;
  /// bad_request if `element` is not a jabber:x:data form with a known type.
  static std::expected<DataForm, StanzaError> parse(const xml::Element& element);
};

}  // namespace kith::xmpp
