#include "xmpp/data_form.h"

#include <algorithm>
#include <array>

#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

constexpr std::array<std::string_view, 4> form_types{"form", "submit", "cancel", "result"};

/// The text of the child `name`, or empty.
std::string child_text(const xml::Element& element, std::string_view name) {
  const xml::Element* child = element.child(name, ns::data_forms);
  return child == nullptr ? std::string() : child->text();
}

FormField read_field(const xml::Element& element) {
  FormField field{.var = std::string(element.attribute("var").value_or("")),
                  .type = std::string(element.attribute("type").value_or("")),
                  .label = std::string(element.attribute("label").value_or(""))};
  element.for_each_child([&](const xml::Element& child) {
    if (child.is("value", ns::data_forms)) field.values.push_back(child.text());
    if (child.is("required", ns::data_forms)) field.required = true;
    if (child.is("option", ns::data_forms)) {
      field.options.emplace_back(std::string(child.attribute("label").value_or("")), child_text(child, "value"));
    }
  });
  return field;
}

xml::Element write_field(const FormField& field) {
  xml::Element element("field", ns::data_forms);
  if (!field.var.empty()) element.set("var", field.var);
  if (!field.type.empty()) element.set("type", field.type);
  if (!field.label.empty()) element.set("label", field.label);
  if (field.required) element.add(xml::Element("required", ns::data_forms));
  for (const std::string& value : field.values) element.add_text_child("value", value);
  for (const auto& [label, value] : field.options) {
    xml::Element option("option", ns::data_forms);
    if (!label.empty()) option.set("label", label);
    option.add_text_child("value", value);
    element.add(std::move(option));
  }
  return element;
}

}  // namespace

const FormField* DataForm::field(std::string_view var) const {
  const auto found = std::ranges::find(fields, var, &FormField::var);
  return found == fields.end() ? nullptr : &*found;
}

std::optional<std::string_view> DataForm::value(std::string_view var) const {
  const FormField* found = field(var);
  if (found == nullptr || found->values.size() != 1) return std::nullopt;
  return found->values.front();
}

xml::Element DataForm::to_element() const {
  xml::Element element("x", ns::data_forms);
  element.set("type", type);
  if (!title.empty()) element.add_text_child("title", title);
  if (!instructions.empty()) element.add_text_child("instructions", instructions);
  for (const FormField& field : fields) element.add(write_field(field));
  return element;
}

std::expected<DataForm, StanzaError> DataForm::parse(const xml::Element& element) {
  if (!element.is("x", ns::data_forms)) {
    return std::unexpected(StanzaError::of(Condition::bad_request, "A data form was expected."));
  }
  const std::string_view type = element.attribute("type").value_or("");
  if (std::ranges::find(form_types, type) == form_types.end()) {
    return std::unexpected(StanzaError::of(Condition::bad_request, "There is no such type of data form."));
  }
  DataForm form{.type = std::string(type)};
  element.for_each_child([&](const xml::Element& child) {
    if (child.is("title", ns::data_forms)) form.title = child.text();
    if (child.is("field", ns::data_forms)) form.fields.push_back(read_field(child));
    if (child.is("instructions", ns::data_forms)) {
      // XEP-0004 §3.1: there may be several; each is a line.
      if (!form.instructions.empty()) form.instructions += '\n';
      form.instructions += child.text();
    }
  });
  return form;
}

}  // namespace kith::xmpp
