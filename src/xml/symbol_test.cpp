#include "xml/symbol.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kith::xml {
namespace {

constexpr std::string_view known[] = {
#define KITH_SYMBOL(text) text,
#include "xml/known_symbols.inc"
#undef KITH_SYMBOL
};

TEST(Symbol, every_known_name_is_found_and_shares_its_bytes) {
  for (const std::string_view name : known) {
    const std::string copy(name);
    const Symbol first(copy);
    const Symbol second(name);
    EXPECT_EQ(first.view(), name);
    EXPECT_EQ(first.view().data(), second.view().data()) << name;
    EXPECT_NE(first.view().data(), copy.data());
  }
}

TEST(Symbol, names_near_a_known_one_are_themselves) {
  for (const std::string_view name : known) {
    for (const std::string& near : {std::string(name) + "~", std::string(name.substr(1)), "~" + std::string(name)}) {
      EXPECT_EQ(Symbol(near).view(), near);
    }
    for (std::size_t at = 0; at < name.size(); ++at) {
      std::string near(name);
      near[at] = '~';
      EXPECT_EQ(Symbol(near).view(), near);
    }
  }
}

TEST(Symbol, an_unknown_name_is_kept_once_for_all_its_copies) {
  std::string name = "a-name-that-nobody-knows";
  Symbol first(name);
  name.assign(name.size(), 'x');
  EXPECT_EQ(first, "a-name-that-nobody-knows");
  const Symbol copy = first;
  EXPECT_EQ(copy.view().data(), first.view().data());
  first = Symbol("another-unknown-name");
  EXPECT_EQ(copy, "a-name-that-nobody-knows");
  EXPECT_EQ(first, "another-unknown-name");
}

TEST(Symbol, moving_leaves_an_empty_symbol_behind) {
  for (const char* name : {"message", "unknown-message"}) {
    Symbol from(name);
    const Symbol to(std::move(from));
    EXPECT_EQ(to, name);
    EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
    from = to;
    EXPECT_EQ(from, to);
  }
}

TEST(Symbol, compares_by_text) {
  EXPECT_EQ(Symbol(), Symbol(""));
  EXPECT_EQ(Symbol("unknown-1"), Symbol("unknown-1"));
  EXPECT_FALSE(Symbol("unknown-1") == Symbol("unknown-2"));
  EXPECT_FALSE(Symbol("message") == Symbol("messag"));
  EXPECT_EQ(Symbol("message"), std::string_view("message"));
  EXPECT_EQ(Symbol(std::string_view("nul\0byte", 8)).view().size(), 8U);
}

TEST(Symbol, copies_may_be_made_and_destroyed_on_several_threads) {
  const Symbol shared("shared-unknown-name");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([shared] {
      for (int n = 0; n < 1000; ++n) {
        const std::vector<Symbol> copies(3, shared);
        ASSERT_EQ(copies.back(), "shared-unknown-name");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, "shared-unknown-name");
}

}  // namespace
}  // namespace kith::xml
