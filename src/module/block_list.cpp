#include "module/block_list.h"

#include <algorithm>

namespace kith::module {

BlockList BlockList::from_document(std::string_view document) {
  BlockList list;
  while (!document.empty()) {
    const std::size_t end = std::min(document.find('\n'), document.size());
    if (end != 0) list.jids_.emplace(document.substr(0, end));
    document.remove_prefix(std::min(end + 1, document.size()));
  }
  return list;
}

std::string BlockList::to_document() const {
  std::string document;
  for (const std::string& jid : jids_) document.append(jid).push_back('\n');
  return document;
}

bool BlockList::blocks(const xmpp::Jid& jid) const {
  if (jids_.empty()) return false;
  return jids_.contains(jid.text()) || jids_.contains(jid.bare_text()) || jids_.contains(jid.domainpart());
}

}  // namespace kith::module
