#include "xmpp/caps.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/encoding.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {

namespace {

using Identity = std::tuple<std::string, std::string, std::string, std::string>;  // category, type, language, name

struct Form {
  std::string type;
  std::vector<std::pair<std::string, std::vector<std::string>>> fields;  // var, values
  friend auto operator<=>(const Form&, const Form&) = default;
};

std::string text_of(std::optional<std::string_view> attribute) { return std::string(attribute.value_or("")); }

std::vector<std::string> values_of(const xml::Element& field) {
  std::vector<std::string> values;
  field.for_each_child([&](const xml::Element& value) {
    if (value.is("value", ns::data_forms)) values.push_back(value.text());
  });
  return values;
}

enum class Reading { taken, ignored, ill_formed };

// XEP-0115 §5.4, 3.5 and 3.6: what a form must be like to count.
Reading read_form(const xml::Element& x, Form& form) {
  Reading reading = Reading::ignored;
  x.for_each_child([&](const xml::Element& field) {
    if (!field.is("field", ns::data_forms)) return;
    std::string var = text_of(field.attribute("var"));
    std::vector<std::string> values = values_of(field);
    if (var != "FORM_TYPE") {
      std::ranges::sort(values);
      form.fields.emplace_back(std::move(var), std::move(values));
      return;
    }
    if (field.attribute("type") != "hidden" || values.empty()) return;
    const bool one_value = std::ranges::all_of(values, [&](const auto& value) { return value == values.front(); });
    reading = one_value && reading == Reading::ignored ? Reading::taken : Reading::ill_formed;
    form.type = values.front();
  });
  std::ranges::sort(form.fields);
  return reading;
}

}  // namespace

std::optional<std::string> caps_hash(const xml::Element& query, std::string_view algorithm) {
  if (algorithm != "sha-1" && algorithm != "sha-256") return std::nullopt;
  std::vector<Identity> identities;
  std::vector<std::string> features;
  std::vector<Form> forms;
  bool well_formed = true;
  query.for_each_child([&](const xml::Element& child) {
    if (child.is("identity", ns::disco_info)) {
      identities.emplace_back(text_of(child.attribute("category")), text_of(child.attribute("type")),
                              text_of(child.attribute("lang", xml::ns_xml)), text_of(child.attribute("name")));
    } else if (child.is("feature", ns::disco_info)) {
      features.push_back(text_of(child.attribute("var")));
    } else if (child.is("x", ns::data_forms)) {
      Form form;
      const Reading reading = read_form(child, form);
      if (reading == Reading::ill_formed) well_formed = false;
      if (reading == Reading::taken) forms.push_back(std::move(form));
    }
  });
  // i;octet is how strings compare anyway.
  std::ranges::sort(identities);
  std::ranges::sort(features);
  std::ranges::sort(forms);
  const auto twice = [](const auto& sorted) { return std::ranges::adjacent_find(sorted) != sorted.end(); };
  const bool form_twice = std::ranges::adjacent_find(forms, {}, &Form::type) != forms.end();
  if (!well_formed || twice(identities) || twice(features) || form_twice) return std::nullopt;

  std::string s;
  for (const auto& [category, type, language, name] : identities) {
    s.append(category).append("/").append(type).append("/").append(language).append("/").append(name).append("<");
  }
  for (const std::string& feature : features) s.append(feature).append("<");
  for (const Form& form : forms) {
    s.append(form.type).append("<");
    for (const auto& [var, values] : form.fields) {
      s.append(var).append("<");
      for (const std::string& value : values) s.append(value).append("<");
    }
  }
  return base64_encode(algorithm == "sha-1" ? sha1(s) : sha256(s));
}

namespace {

// XEP-0390 §4.1: each text ends with one of four characters that no XML text can hold.
constexpr char after_text = '\x1f';
constexpr char after_record = '\x1e';
constexpr char after_form = '\x1d';
constexpr char after_section = '\x1c';

std::string joined(std::vector<std::string> parts) {
  std::ranges::sort(parts);
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

/// Nothing if the form may not be there.
std::optional<std::string> form_text(const xml::Element& x) {
  bool sound = true;
  bool typed = false;
  std::vector<std::string> fields;
  x.for_each_child([&](const xml::Element& field) {
    if (field.is("reported", ns::data_forms) || field.is("item", ns::data_forms)) sound = false;
    if (!field.is("field", ns::data_forms)) return;
    std::vector<std::string> values = values_of(field);
    if (field.attribute("var") == "FORM_TYPE" && field.attribute("type") == "hidden") typed = values.size() == 1;
    for (std::string& value : values) value += after_text;
    fields.push_back(text_of(field.attribute("var")) + after_text + joined(std::move(values)) + after_record);
  });
  if (!sound || !typed) return std::nullopt;
  return joined(std::move(fields)) + after_form;
}

}  // namespace

std::optional<std::string> caps2_hash(const xml::Element& query, std::string_view algorithm) {
  if (algorithm != "sha-256") return std::nullopt;
  std::vector<std::string> features;
  std::vector<std::string> identities;
  std::vector<std::string> forms;
  bool sound = true;
  query.for_each_child([&](const xml::Element& child) {
    if (child.is("feature", ns::disco_info)) {
      features.push_back(text_of(child.attribute("var")) + after_text);
    } else if (child.is("identity", ns::disco_info)) {
      identities.push_back(text_of(child.attribute("category")) + after_text + text_of(child.attribute("type")) +
                           after_text + text_of(child.attribute("lang", xml::ns_xml)) + after_text +
                           text_of(child.attribute("name")) + after_text + after_record);
    } else if (std::optional<std::string> form = child.is("x", ns::data_forms) ? form_text(child) : std::nullopt) {
      forms.push_back(*std::move(form));
    } else {
      sound = false;
    }
  });
  if (!sound) return std::nullopt;
  return base64_encode(sha256(joined(std::move(features)) + after_section + joined(std::move(identities)) +
                              after_section + joined(std::move(forms)) + after_section));
}

}  // namespace kith::xmpp
