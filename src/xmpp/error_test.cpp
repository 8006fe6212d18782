#include "xmpp/error.h"

#include <gtest/gtest.h>

#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

TEST(StanzaError, every_condition_has_its_own_word_and_is_found_by_it) {
  for (int i = 0; i <= static_cast<int>(Condition::unexpected_request); ++i) {
    const auto condition = static_cast<Condition>(i);
    EXPECT_EQ(condition_from(wire_word(condition)), condition) << wire_word(condition);
  }
  EXPECT_EQ(wire_word(Condition::feature_not_implemented), "feature-not-implemented");
  EXPECT_EQ(wire_word(Condition::unexpected_request), "unexpected-request");
  EXPECT_FALSE(condition_from("payment-required"));
}

TEST(StanzaError, every_type_is_found_by_its_word) {
  for (int i = 0; i <= static_cast<int>(ErrorType::wait); ++i) {
    const auto type = static_cast<ErrorType>(i);
    EXPECT_EQ(error_type_from(wire_word(type)), type);
  }
  EXPECT_EQ(wire_word(ErrorType::continue_), "continue");
  EXPECT_FALSE(error_type_from("continue_"));
}

// RFC 6120 §8.3.3.1–22: the type that each condition is associated with.
TEST(StanzaError, has_the_type_that_the_rfc_names_first) {
  const std::pair<Condition, ErrorType> rows[] = {
      {Condition::bad_request, ErrorType::modify},
      {Condition::conflict, ErrorType::cancel},
      {Condition::feature_not_implemented, ErrorType::cancel},
      {Condition::forbidden, ErrorType::auth},
      {Condition::gone, ErrorType::cancel},
      {Condition::internal_server_error, ErrorType::cancel},
      {Condition::item_not_found, ErrorType::cancel},
      {Condition::jid_malformed, ErrorType::modify},
      {Condition::not_acceptable, ErrorType::modify},
      {Condition::not_allowed, ErrorType::cancel},
      {Condition::not_authorized, ErrorType::auth},
      {Condition::policy_violation, ErrorType::modify},
      {Condition::recipient_unavailable, ErrorType::wait},
      {Condition::redirect, ErrorType::modify},
      {Condition::registration_required, ErrorType::auth},
      {Condition::remote_server_not_found, ErrorType::cancel},
      {Condition::remote_server_timeout, ErrorType::wait},
      {Condition::resource_constraint, ErrorType::wait},
      {Condition::service_unavailable, ErrorType::cancel},
      {Condition::subscription_required, ErrorType::auth},
      {Condition::undefined_condition, ErrorType::cancel},
      {Condition::unexpected_request, ErrorType::wait},
  };
  for (const auto& [condition, type] : rows) EXPECT_EQ(StanzaError::of(condition).type, type) << wire_word(condition);
}

TEST(StanzaError, a_failed_write_may_be_tried_again) {
  EXPECT_EQ(StanzaError::storage_failed().type, ErrorType::wait);
  EXPECT_EQ(StanzaError::storage_failed().condition, Condition::internal_server_error);
}

TEST(StanzaError, element_holds_type_condition_and_text) {
  const xml::Element element = StanzaError::of(Condition::not_allowed, "No.").to_element();
  EXPECT_TRUE(element.is("error", ns::client));
  EXPECT_EQ(element.attribute("type"), "cancel");
  ASSERT_NE(element.first_child(), nullptr);
  EXPECT_TRUE(element.first_child()->is("not-allowed", ns::stanza_errors));
  const xml::Element* text = element.child("text", ns::stanza_errors);
  ASSERT_NE(text, nullptr);
  EXPECT_EQ(text->text(), "No.");
  EXPECT_EQ(text->attribute("lang", xml::ns_xml), "en");
}

TEST(StanzaError, without_text_has_the_condition_alone) {
  EXPECT_EQ(StanzaError::of(Condition::gone).to_element().child_element_count(), 1U);
}

TEST(StreamError, element_stands_in_the_streams_namespace) {
  const xml::Element element = StreamError{StreamCondition::not_well_formed, "Mind your tags."}.to_element();
  EXPECT_TRUE(element.is("error", ns::streams));
  EXPECT_TRUE(element.first_child()->is("not-well-formed", ns::stream_errors));
  EXPECT_EQ(element.child("text", ns::stream_errors)->text(), "Mind your tags.");
}

TEST(StreamError, words_follow_the_enumerators) {
  EXPECT_EQ(wire_word(StreamCondition::bad_format), "bad-format");
  EXPECT_EQ(wire_word(StreamCondition::improper_addressing), "improper-addressing");
  EXPECT_EQ(wire_word(StreamCondition::reset), "reset");
  EXPECT_EQ(wire_word(StreamCondition::see_other_host), "see-other-host");
  EXPECT_EQ(wire_word(StreamCondition::unsupported_version), "unsupported-version");
}

}  // namespace
}  // namespace kith::xmpp
