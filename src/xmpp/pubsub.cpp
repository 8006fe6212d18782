#include "xmpp/pubsub.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {

namespace {

constexpr std::array<std::string_view, 5> access_words{"open", "presence", "roster", "authorize", "whitelist"};
constexpr std::array<std::string_view, 3> publish_words{"publishers", "subscribers", "open"};
constexpr std::array<std::string_view, 3> send_last_words{"never", "on_sub", "on_sub_and_presence"};
constexpr std::array<std::string_view, 3> reply_words{"owner", "publisher", "none"};
constexpr std::array<std::string_view, 6> affiliation_words{"none",         "owner",  "publisher",
                                                            "publish-only", "member", "outcast"};
constexpr std::array<std::string_view, 3> subscription_words{"none", "pending", "subscribed"};
constexpr std::string_view max_word = "max";

template <class Enum>
std::optional<Enum> from_word(std::span<const std::string_view> words, std::string_view word) {
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) return std::nullopt;
  return static_cast<Enum>(found - words.begin());
}
template <class Enum>
std::string_view word_of(std::span<const std::string_view> words, Enum value) {
  return words[static_cast<std::size_t>(value)];
}

using Values = std::vector<std::string>;

/// One field of the form: how it is read from a configuration and written into it (false: a value that it cannot have).
struct ConfigField {
  std::string_view var;
  std::string_view type;
  std::string_view label;
  Values (*get)(const NodeConfig& config);
  bool (*set)(NodeConfig& config, const Values& values);
  std::span<const std::string_view> options{};
  bool owners_only = false;
};

template <auto member>
constexpr ConfigField text_field(std::string_view var, std::string_view label) {
  return {var, "text-single", label, [](const NodeConfig& config) { return Values{config.*member}; },
          [](NodeConfig& config, const Values& values) {
            if (values.size() > 1) return false;
            config.*member = values.empty() ? std::string() : values.front();
            return true;
          }};
}

template <auto member>
constexpr ConfigField list_field(std::string_view var, std::string_view type, std::string_view label,
                                 bool owners_only = false) {
  return {var,
          type,
          label,
          [](const NodeConfig& config) { return config.*member; },
          [](NodeConfig& config, const Values& values) {
            config.*member = values;
            return true;
          },
          {},
          owners_only};
}

/// A number, or `no_limit`, from `smallest` on.
template <auto member, auto& no_limit, std::uint64_t smallest>
constexpr ConfigField number_field(std::string_view var, std::string_view label) {
  return {var, "text-single", label,
          [](const NodeConfig& config) {
            const auto& number = config.*member;
            return Values{number ? std::to_string(*number) : std::string(no_limit)};
          },
          [](NodeConfig& config, const Values& values) {
            if (values.size() > 1) return false;
            const std::string_view value = values.empty() ? std::string_view() : values.front();
            if (value == no_limit) {
              (config.*member).reset();
              return true;
            }
            const auto number = parse_number<std::uint64_t>(value);
            if (!number || *number < smallest) return false;
            config.*member = *number;
            return true;
          }};
}

// XEP-0004 §3.3
std::optional<bool> boolean_from(const Values& values) {
  if (values.size() != 1) return std::nullopt;
  if (values.front() == "1" || values.front() == "true") return true;
  if (values.front() == "0" || values.front() == "false") return false;
  return std::nullopt;
}

template <auto member>
constexpr ConfigField boolean_field(std::string_view var, std::string_view label) {
  return {var, "boolean", label, [](const NodeConfig& config) { return Values{config.*member ? "1" : "0"}; },
          [](NodeConfig& config, const Values& values) {
            const std::optional<bool> value = boolean_from(values);
            if (value) config.*member = *value;
            return value.has_value();
          }};
}

template <auto member, auto& words>
constexpr ConfigField choice_field(std::string_view var, std::string_view label) {
  using Enum = std::remove_cvref_t<decltype(std::declval<NodeConfig>().*member)>;
  return {var,
          "list-single",
          label,
          [](const NodeConfig& config) { return Values{std::string(word_of(words, config.*member))}; },
          [](NodeConfig& config, const Values& values) {
            if (values.size() != 1) return false;
            const std::optional<Enum> value = from_word<Enum>(words, values.front());
            if (value) config.*member = *value;
            return value.has_value();
          },
          words};
}

constexpr std::array<std::string_view, 2> notification_words{"headline", "normal"};
constexpr std::array<std::string_view, 1> node_type_words{"leaf"};
constexpr std::string_view nothing_word = "";

constexpr std::array config_fields{
    text_field<&NodeConfig::title>("pubsub#title", "A name for people"),
    text_field<&NodeConfig::description>("pubsub#description", "What the node is for"),
    text_field<&NodeConfig::type>("pubsub#type", "The namespace of what is published"),
    choice_field<&NodeConfig::access_model, access_words>("pubsub#access_model", "Who may read and subscribe"),
    list_field<&NodeConfig::roster_groups_allowed>("pubsub#roster_groups_allowed", "text-multi",
                                                   "The roster groups that may, for the access model roster", true),
    choice_field<&NodeConfig::publish_model, publish_words>("pubsub#publish_model", "Who may publish"),
    boolean_field<&NodeConfig::persist_items>("pubsub#persist_items", "Keep what is published"),
    number_field<&NodeConfig::max_items, max_word, 0>("pubsub#max_items",
                                                      "How many items are kept; max: as many as can be"),
    number_field<&NodeConfig::item_expire, max_word, 1>("pubsub#item_expire",
                                                        "For how many seconds an item is kept; max: for good"),
    number_field<&NodeConfig::max_payload_size, nothing_word, 1>(
        "pubsub#max_payload_size", "How many bytes an item can have; empty: all that can be"),
    choice_field<&NodeConfig::send_last_item, send_last_words>("pubsub#send_last_published_item",
                                                               "When the newest item is sent unasked"),
    boolean_field<&NodeConfig::deliver_notifications>("pubsub#deliver_notifications", "Send notifications"),
    boolean_field<&NodeConfig::deliver_payloads>("pubsub#deliver_payloads", "Send what was published along with them"),
    choice_field<&NodeConfig::itemreply, reply_words>("pubsub#itemreply",
                                                      "Whose address items name as their publisher"),
    boolean_field<&NodeConfig::notify_config>("pubsub#notify_config", "Tell of a new configuration"),
    boolean_field<&NodeConfig::notify_delete>("pubsub#notify_delete", "Tell when the node is deleted"),
    boolean_field<&NodeConfig::notify_retract>("pubsub#notify_retract", "Tell when items are deleted"),
    ConfigField{.var = "pubsub#notification_type",
                .type = "list-single",
                .label = "The type of the messages that notify",
                .get =
                    [](const NodeConfig& config) {
                      return Values{std::string(notification_words[config.normal_messages ? 1 : 0])};
                    },
                .set =
                    [](NodeConfig& config, const Values& values) {
                      if (values.size() != 1) return false;
                      const auto found = std::ranges::find(notification_words, values.front());
                      if (found != notification_words.end()) config.normal_messages = found->starts_with('n');
                      return found != notification_words.end();
                    },
                .options = notification_words},
    text_field<&NodeConfig::language>("pubsub#language", "The language of what is published"),
    list_field<&NodeConfig::contact>("pubsub#contact", "jid-multi", "Addresses for questions"),
    // There are no collections (XEP-0248); clients say so all the same.
    ConfigField{
        .var = "pubsub#node_type",
        .type = "list-single",
        .label = "What kind of node it is",
        .get = [](const NodeConfig&) { return Values{std::string(node_type_words.front())}; },
        .set = [](NodeConfig&,
                  const Values& values) { return values.size() == 1 && values.front() == node_type_words.front(); },
        .options = node_type_words},
};

constexpr std::string_view form_type_var = "FORM_TYPE";

const ConfigField* field_of(std::string_view var) {
  const auto found = std::ranges::find(config_fields, var, &ConfigField::var);
  return found == config_fields.end() ? nullptr : &*found;
}

FormField written(const ConfigField& field, const NodeConfig& config, bool for_people) {
  FormField made{.var = std::string(field.var), .values = field.get(config)};
  if (!for_people) return made;
  made.type = field.type;
  made.label = field.label;
  for (const std::string_view option : field.options) made.options.emplace_back("", std::string(option));
  return made;
}

}  // namespace

std::string_view wire_word(AccessModel model) { return word_of(access_words, model); }
std::string_view wire_word(Affiliation affiliation) { return word_of(affiliation_words, affiliation); }
std::string_view wire_word(NodeSubscription subscription) { return word_of(subscription_words, subscription); }
std::optional<Affiliation> affiliation_from(std::string_view word) {
  return from_word<Affiliation>(affiliation_words, word);
}
std::optional<NodeSubscription> node_subscription_from(std::string_view word) {
  return from_word<NodeSubscription>(subscription_words, word);
}

DataForm NodeConfig::to_form(std::string_view form_kind, std::string_view form_type) const {
  DataForm form{.type = std::string(form_kind)};
  form.fields.push_back({.var = std::string(form_type_var), .type = "hidden", .values = {std::string(form_type)}});
  const bool owners = form_kind == "form";
  for (const ConfigField& field : config_fields) {
    if (owners || !field.owners_only) form.fields.push_back(written(field, *this, owners));
  }
  return form;
}

std::expected<void, StanzaError> NodeConfig::apply(const DataForm& form, std::uint64_t most_items) {
  NodeConfig changed = *this;
  for (const FormField& given : form.fields) {
    const ConfigField* field = field_of(given.var);
    if (field == nullptr) continue;
    if (!field->set(changed, given.values)) {
      return std::unexpected(StanzaError{ErrorType::modify, Condition::not_acceptable,
                                         "The field " + std::string(field->var) + " cannot have this value."});
    }
  }
  if (changed.max_items > most_items) {
    return std::unexpected(StanzaError{ErrorType::modify, Condition::not_acceptable,
                                       "A node keeps " + std::to_string(most_items) + " items at most, or max."});
  }
  *this = std::move(changed);
  return {};
}

bool NodeConfig::meets(const DataForm& form) const {
  NodeConfig wanted = *this;
  for (const FormField& given : form.fields) {
    if (given.var == form_type_var) continue;
    const ConfigField* field = field_of(given.var);
    if (field == nullptr || !field->set(wanted, given.values)) return false;
  }
  return wanted == *this;
}

std::string NodeConfig::to_text(const NodeConfig& defaults) const {
  DataForm form{.type = "submit"};
  for (const ConfigField& field : config_fields) {
    if (field.get(*this) != field.get(defaults)) form.fields.push_back(written(field, *this, false));
  }
  if (form.fields.empty()) return {};
  return xml::to_string(form.to_element());
}

NodeConfig NodeConfig::from_text(std::string_view text, NodeConfig defaults) {
  if (text.empty()) return defaults;
  const auto element = xml::parse_stored_element(text, {});
  if (!element) return defaults;
  const auto form = DataForm::parse(*element);
  if (!form) return defaults;
  for (const FormField& stored : form->fields) {
    const ConfigField* field = field_of(stored.var);
    if (field != nullptr) static_cast<void>(field->set(defaults, stored.values));
  }
  return defaults;
}

StanzaError pubsub_error(ErrorType type, Condition condition, std::string_view specific, std::string_view feature) {
  StanzaError error{type, condition};
  error.detail.emplace(specific, ns::pubsub_errors);
  if (!feature.empty()) error.detail->set("feature", std::string(feature));
  return error;
}

StanzaError pubsub_unsupported(std::string_view feature) {
  return pubsub_error(ErrorType::cancel, Condition::feature_not_implemented, "unsupported", feature);
}

xml::Element pubsub_items_event(std::string_view node) {
  xml::Element event("event", ns::pubsub_event);
  event.append_child(xml::Element("items", ns::pubsub_event)).set("node", std::string(node));
  return event;
}

}  // namespace kith::xmpp
