#include "xmpp/data_form.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

std::expected<DataForm, StanzaError> read(std::string_view text) {
  const std::expected<xml::Element, xml::ParseError> element = xml::parse_element(text);
  EXPECT_TRUE(element) << text;
  return DataForm::parse(*element);
}

TEST(DataForm, is_read_back_as_built) {
  const DataForm form{.type = "form",
                      .title = "Bot",
                      .instructions = "Fill it in.",
                      .fields = {{.var = "FORM_TYPE", .type = "hidden", .values = {"jabber:bot"}},
                                 {.var = "maxsubs",
                                  .type = "list-single",
                                  .label = "How many?",
                                  .values = {"20"},
                                  .options = {{"10", "10"}, {"", "20"}},
                                  .required = true},
                                 {.var = "lines", .type = "text-multi", .values = {"one", "two"}}}};
  const std::expected<DataForm, StanzaError> back = DataForm::parse(form.to_element());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->to_element(), form.to_element());
  EXPECT_EQ(back->title, "Bot");
  EXPECT_EQ(back->instructions, "Fill it in.");
  ASSERT_EQ(back->fields.size(), 3U);
  EXPECT_TRUE(back->fields[1].required);
  EXPECT_EQ(back->fields[1].label, "How many?");
  EXPECT_EQ(back->fields[1].options, form.fields[1].options);
  EXPECT_EQ(back->fields[2].values, form.fields[2].values);
}

TEST(DataForm, value_is_that_of_a_field_with_just_one) {
  const auto form = read(
      "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field>"
      "<field var='b'><value>1</value><value>2</value></field><field var='c'/><field var='d'><value/></field></x>");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->value("a"), "1");
  EXPECT_FALSE(form->value("b"));
  EXPECT_FALSE(form->value("c"));
  EXPECT_EQ(form->value("d"), "");
  EXPECT_FALSE(form->value("e"));
  EXPECT_EQ(form->field("b")->values.size(), 2U);
  EXPECT_EQ(form->field("e"), nullptr);
}

TEST(DataForm, instructions_in_several_elements_are_lines) {
  const auto form =
      read("<x xmlns='jabber:x:data' type='form'><instructions>a</instructions><instructions>b</instructions></x>");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->instructions, "a\nb");
}

TEST(DataForm, of_another_name_or_type_is_a_bad_request) {
  for (const char* text :
       {"<x xmlns='jabber:x:other' type='form'/>", "<y xmlns='jabber:x:data' type='form'/>",
        "<x xmlns='jabber:x:data'/>", "<x xmlns='jabber:x:data' type='Form'/>", "<x xmlns='jabber:x:data' type=''/>"}) {
    const auto form = read(text);
    ASSERT_FALSE(form) << text;
    EXPECT_EQ(form.error().condition, Condition::bad_request);
  }
}

TEST(DataForm, takes_whatever_else_there_is_without_complaint) {
  const auto form = read(
      "<x xmlns='jabber:x:data' type='cancel'>text<field><field var='inner'/><option/><value><b "
      "xmlns='y'/></value></field>"
      "<field xmlns='other' var='foreign'/><reported/><item><field var='i'/></item><title/></x>");
  ASSERT_TRUE(form);
  ASSERT_EQ(form->fields.size(), 1U);
  EXPECT_EQ(form->fields[0].var, "");
  EXPECT_EQ(form->fields[0].options.size(), 1U);
  EXPECT_EQ(form->fields[0].values, std::vector<std::string>{""});
}

}  // namespace
}  // namespace kith::xmpp
