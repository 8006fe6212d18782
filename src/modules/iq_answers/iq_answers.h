// Lets an iq result or error through to a client only if the client asked for it (RFC 6120 §8.2.3: an answer has the id
// of its request and comes from where that went). Clients that look at the id alone took strangers' answers for true
// ones. One list per session, on the account's shard, of the newest requests that are not answered yet; beyond
// `most_requests` or `most_bytes` the oldest is forgotten, and its answer passes only from those whom the account lets
// see its presence. What a client sends to its own account or server is answered there and never comes this way.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "module/module.h"

namespace kith::modules {

class IqAnswers final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{.name = "iq_answers",
                                                 .summary = "Keeps answers that nobody asked for from clients."};
  static constexpr std::size_t most_requests = 256;
  static constexpr std::size_t most_bytes = 64 * 1024;  ///< addresses and ids of one session

  explicit IqAnswers(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  struct Request {
    std::string to;
    std::string id;
    std::size_t bytes() const { return to.size() + id.size(); }
    friend bool operator==(const Request&, const Request&) = default;
  };
  struct Outstanding {
    std::deque<Request> requests;  ///< oldest first
    std::size_t bytes = 0;
  };
  module::Outcome leaves(module::IqFromClient& event);
  module::Outcome arrives(module::IqToSession& event);

  const module::Hosts& hosts_;
  Counter& dropped_;
};

}  // namespace kith::modules
