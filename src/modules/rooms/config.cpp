#include "modules/rooms/config.h"

#include <charconv>
#include <utility>

#include "modules/rooms/words.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using xmpp::Condition;
using xmpp::DataForm;
using xmpp::FormField;
using xmpp::StanzaError;

namespace {

constexpr std::string_view slow_mode_field = "slow_mode_duration";
constexpr std::string_view ns_validate = "http://jabber.org/protocol/xdata-validate";
constexpr std::string_view key_field = "kith#occupant_key";

std::string var(std::string_view name) { return "muc#roomconfig_" + std::string(name); }
std::string word(bool value) { return value ? "1" : "0"; }

std::string_view word(Whois whois) { return whois == Whois::anyone ? "anyone" : "moderators"; }
std::string_view word(AllowPm allow) {
  switch (allow) {
    case AllowPm::anyone:
      return "anyone";
    case AllowPm::participants:
      return "participants";
    case AllowPm::moderators:
      return "moderators";
    case AllowPm::none:
      break;
  }
  return "none";
}

StanzaError bad_value(std::string_view field) {
  return StanzaError::of(Condition::not_acceptable, "This value is not possible: " + std::string(field));
}

/// Reads the fields of a form into a configuration, and remembers what was wrong.
class Reader {
 public:
  explicit Reader(const DataForm& form) : form_(form) {}

  void text(std::string_view name, std::string& into) {
    const FormField* field = form_.field(name);
    if (field == nullptr) return;
    std::string value;
    for (const std::string& line : field->values) value += (value.empty() ? "" : "\n") + line;
    if (value.size() > RoomConfig::most_text_bytes) return fail(name);
    into = std::move(value);
  }
  void boolean(std::string_view name, bool& into) {
    const auto value = form_.value(name);
    if (!value) return;
    if (*value == "1" || *value == "true") {
      into = true;
    } else if (*value == "0" || *value == "false") {
      into = false;
    } else {
      fail(name);
    }
  }
  void number(std::string_view name, std::uint64_t most, std::uint64_t& into) {
    const auto value = form_.value(name);
    if (!value || value->empty()) return;
    std::uint64_t given = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), given);
    if (error != std::errc() || end != value->data() + value->size()) return fail(name);
    into = std::min(given, most);
  }
  template <class Enum>
  void choice(std::string_view name, std::initializer_list<Enum> values, Enum& into) {
    const auto value = form_.value(name);
    if (!value) return;
    for (const Enum one : values) {
      if (word(one) == *value) {
        into = one;
        return;
      }
    }
    fail(name);
  }
  void fail(std::string_view name) {
    if (!error_) error_ = bad_value(name);
  }
  const std::optional<StanzaError>& error() const { return error_; }

 private:
  const DataForm& form_;
  std::optional<StanzaError> error_;
};

FormField boolean(std::string_view name, std::string label, bool value) {
  return {.var = var(name), .type = "boolean", .label = std::move(label), .values = {word(value)}};
}
FormField text(std::string_view name, std::string label, const std::string& value, std::string type = "text-single") {
  return {.var = var(name), .type = std::move(type), .label = std::move(label), .values = {value}};
}

}  // namespace

DataForm form_of(const RoomConfig& config) {
  DataForm form{.type = "form",
                .title = "Configuration of the room",
                .instructions = "Fill in what shall be otherwise.",
                .fields = {}};
  auto& fields = form.fields;
  fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns::room_config)}});
  fields.push_back(text("roomname", "Name", config.name));
  fields.push_back(text("roomdesc", "Description", config.description));
  fields.push_back(text("lang", "Language of the conversation", config.language));
  fields.push_back(boolean("persistentroom", "Keep the room when the last one leaves", config.persistent));
  fields.push_back(boolean("publicroom", "Show the room in the list of rooms", config.listed));
  fields.push_back(boolean("membersonly", "Only members may enter", config.members_only));
  fields.push_back(boolean("allowinvites", "Members may invite others", config.allow_invites));
  fields.push_back(boolean("moderatedroom", "Only who was given voice may speak", config.moderated));
  fields.push_back(boolean("passwordprotectedroom", "A password is needed to enter", !config.password.empty()));
  fields.push_back(text("roomsecret", "Password", config.password, "text-private"));
  fields.push_back({.var = var("whois"),
                    .type = "list-single",
                    .label = "Who may see real addresses",
                    .values = {std::string(word(config.whois))},
                    .options = {{"Moderators only", "moderators"}, {"Anyone", "anyone"}}});
  fields.push_back(boolean("changesubject", "Everybody with voice may change the subject", config.change_subject));
  fields.push_back({.var = var("allowpm"),
                    .type = "list-single",
                    .label = "Who may send private messages",
                    .values = {std::string(word(config.allow_pm))},
                    .options = {{"Anyone", "anyone"},
                                {"Who may speak", "participants"},
                                {"Moderators only", "moderators"},
                                {"Nobody", "none"}}});
  fields.push_back(boolean("enablearchiving", "Keep an archive of what is said", config.archived));
  fields.push_back({.var = "muc#maxhistoryfetch",
                    .type = "text-single",
                    .label = "Messages that are shown to who enters",
                    .values = {std::to_string(config.history)}});
  fields.push_back({.var = var(slow_mode_field),
                    .type = "text-single",
                    .label = "Seconds between two messages of the same person (0: none)",
                    .values = {std::to_string(config.slow_mode)}});
  return form;
}

xml::Element form_element(const RoomConfig& config) {
  xml::Element bounds("range", ns_validate);
  bounds.set("min", "0").set("max", std::to_string(RoomConfig::most_slow_mode));
  xml::Element integer("validate", ns_validate);
  integer.set("datatype", "xs:integer").add(std::move(bounds));
  const xml::Element plain = form_of(config).to_element();
  xml::Element form("x", xmpp::ns::data_forms);
  form.set("type", std::string(plain.attribute("type").value_or("")));
  plain.for_each_child([&](const xml::Element& child) {
    xml::Element& added = form.append_child(child);
    if (child.attribute("var") == var(slow_mode_field)) added.add(integer);
  });
  return form;
}

std::expected<RoomConfig, StanzaError> apply(RoomConfig config, const DataForm& form) {
  const auto kind = form.value("FORM_TYPE");
  if (kind && *kind != ns::room_config) return std::unexpected(StanzaError::of(Condition::bad_request));
  Reader read(form);
  read.text(var("roomname"), config.name);
  read.text(var("roomdesc"), config.description);
  read.text(var("lang"), config.language);
  read.boolean(var("persistentroom"), config.persistent);
  read.boolean(var("publicroom"), config.listed);
  read.boolean(var("membersonly"), config.members_only);
  read.boolean(var("allowinvites"), config.allow_invites);
  read.boolean(var("moderatedroom"), config.moderated);
  bool with_password = !config.password.empty();
  read.text(var("roomsecret"), config.password);
  if (!config.password.empty() && form.field(var("passwordprotectedroom")) == nullptr) with_password = true;
  read.boolean(var("passwordprotectedroom"), with_password);
  // §10.1.3: a password that must be given must be there.
  if (with_password && config.password.empty()) read.fail(var("roomsecret"));
  if (!with_password) config.password.clear();
  read.choice(var("whois"), {Whois::moderators, Whois::anyone}, config.whois);
  read.boolean(var("changesubject"), config.change_subject);
  read.choice(var("allowpm"), {AllowPm::anyone, AllowPm::participants, AllowPm::moderators, AllowPm::none},
              config.allow_pm);
  read.boolean(var("enablearchiving"), config.archived);
  read.number("muc#maxhistoryfetch", RoomConfig::most_history, config.history);
  read.number(var(slow_mode_field), RoomConfig::most_slow_mode, config.slow_mode);
  read.number(var("maxhistoryfetch"), RoomConfig::most_history, config.history);
  if (read.error()) return std::unexpected(*read.error());
  return config;
}

std::string stored_text(const RoomConfig& config, std::string_view key) {
  DataForm form = form_of(config);
  form.type = "submit";
  form.title.clear();
  form.instructions.clear();
  for (FormField& field : form.fields) {
    field.type.clear();
    field.label.clear();
    field.options.clear();
  }
  form.fields.push_back({.var = std::string(key_field), .values = {std::string(key)}});
  return xml::to_string(form.to_element(), xmpp::ns::client);
}

std::optional<Stored> config_from_stored(std::string_view text) {
  auto element = xml::parse_element(text, xmpp::ns::client);
  if (!element) return std::nullopt;
  const auto form = DataForm::parse(*element);
  if (!form) return std::nullopt;
  const auto config = apply(RoomConfig{}, *form);
  const auto key = form->value(key_field);
  if (!config || !key) return std::nullopt;
  return Stored{.config = *config, .key = std::string(*key)};
}

}  // namespace kith::modules::muc
