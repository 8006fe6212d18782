// Stanza errors (RFC 6120 §8.3) and stream errors (§4.9) as values. Enumerators are the wire words with '-' as '_'.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"

namespace kith::xmpp {

enum class ErrorType { auth, cancel, continue_, modify, wait };

enum class Condition {
  bad_request,
  conflict,
  feature_not_implemented,
  forbidden,
  gone,
  internal_server_error,
  item_not_found,
  jid_malformed,
  not_acceptable,
  not_allowed,
  not_authorized,
  policy_violation,
  recipient_unavailable,
  redirect,
  registration_required,
  remote_server_not_found,
  remote_server_timeout,
  resource_constraint,
  service_unavailable,
  subscription_required,
  undefined_condition,
  unexpected_request
};

/// RFC 6120 §8.3.2. `text` is for people, in English; it gives nothing away about the inside of the server.
struct StanzaError {
  ErrorType type;
  Condition condition;
  std::string text{};
  std::optional<xml::Element> detail{};  ///< of an extension (RFC 6120 §8.3.4)
  /// The number that stood for the condition before there were words (XEP-0086); 0: none. Only for clients that wait
  /// for it.
  int legacy_code = 0;

  /// With the type that RFC 6120 §8.3.3 names first for that condition.
  static StanzaError of(Condition condition, std::string text = {});
  /// What a failed write becomes: the sender may try again (internal-server-error, type wait).
  static StanzaError storage_failed();
  /// The <error/> child, in namespace jabber:client.
  xml::Element to_element() const;
  friend bool operator==(const StanzaError&, const StanzaError&) = default;
};

std::string_view wire_word(Condition condition);
std::string_view wire_word(ErrorType type);
std::optional<Condition> condition_from(std::string_view word);
std::optional<ErrorType> error_type_from(std::string_view word);

enum class StreamCondition {
  bad_format,
  bad_namespace_prefix,
  conflict,
  connection_timeout,
  host_gone,
  host_unknown,
  improper_addressing,
  internal_server_error,
  invalid_from,
  invalid_namespace,
  invalid_xml,
  not_authorized,
  not_well_formed,
  policy_violation,
  remote_connection_failed,
  reset,
  resource_constraint,
  restricted_xml,
  see_other_host,
  system_shutdown,
  undefined_condition,
  unsupported_encoding,
  unsupported_feature,
  unsupported_stanza_type,
  unsupported_version
};

struct StreamError {
  StreamCondition condition;
  std::string text{};
  std::optional<xml::Element> detail{};  ///< an application-specific condition (RFC 6120 §4.9.4)
  /// <stream:error/>
  xml::Element to_element() const;
  friend bool operator==(const StreamError&, const StreamError&) = default;
};

std::string_view wire_word(StreamCondition condition);

}  // namespace kith::xmpp
