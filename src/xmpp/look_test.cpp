#include "xmpp/look.h"

#include <gtest/gtest.h>

namespace kith::xmpp {
namespace {

TEST(Look, letters_of_other_scripts_look_like_those_of_ascii) {
  EXPECT_EQ(look("p\u0430yp\u0430l"), "paypal");  // Cyrillic а
  EXPECT_EQ(look("\u03BF\u043E\u0585"), "ooo");   // Greek, Cyrillic, Armenian
  EXPECT_EQ(look("\u0440\u043E\u0440"), look("pop"));
}

TEST(Look, ascii_stays_as_it_is) {
  EXPECT_EQ(look("Torn1"), "Torn1");
  EXPECT_NE(look("torn"), look("tom"));
  EXPECT_NE(look("guest0"), look("guesto"));
}

TEST(Look, other_words_look_otherwise) {
  EXPECT_NE(look("Jos\u00E9"), look("Jose"));
  EXPECT_NE(look("\u043C\u0438\u0440"), look("\u0438\u043C\u0440"));
  EXPECT_EQ(look("Jos\u00E9"), look("Jose\u0301"));
}

TEST(Look, what_shows_nothing_is_a_space) { EXPECT_EQ(look("a\u2800b"), "a b"); }

TEST(Look, what_is_no_text_is_not_lost) { EXPECT_FALSE(look("\xFF\xFE").empty()); }

}  // namespace
}  // namespace kith::xmpp
