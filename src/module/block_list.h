// Whom an account has blocked (XEP-0191): what all who bring stanzas to it and send in its name ask. Lives on the
// account, on its shard; in memory as long as the account is. Stored as one document, an address a line, so that a
// change of several is stored together or not at all. The feature `blocking` changes it and keeps it small.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "xmpp/jid.h"

namespace kith::module {

class BlockList {
 public:
  /// The kind of its document; the key is empty.
  static constexpr std::string_view kind = "blocklist";

  static BlockList from_document(std::string_view document);
  std::string to_document() const;

  /// §5: itself, its bare address, or its domain is listed.
  bool blocks(const xmpp::Jid& jid) const;
  bool contains(const std::string& jid) const { return jids_.contains(jid); }
  void add(const xmpp::Jid& jid) { jids_.insert(jid.text()); }
  void remove(const std::string& jid) { jids_.erase(jid); }
  void clear() { jids_.clear(); }
  bool empty() const { return jids_.empty(); }
  std::size_t size() const { return jids_.size(); }
  const std::set<std::string, std::less<>>& jids() const { return jids_; }

 private:
  std::set<std::string, std::less<>> jids_;  ///< prepared
};

}  // namespace kith::module
