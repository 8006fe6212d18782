// A command of the server that people run from their client's menu (XEP-0050), on its way through the feature that
// offers it. The feature answers the request with result() or fails it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "module/iq.h"
#include "xml/element.h"

namespace kith::module {

/// Access is the features' own business: only the server's own people get as far as here, each with a session.
class CommandRequest {
 public:
  CommandRequest(IqRequest request, std::string node, std::string session_id)
      : request_(std::move(request)), node_(std::move(node)), session_id_(std::move(session_id)) {}

  const xmpp::Jid& from() const { return request_.from(); }
  /// Of who asks. Valid only until the handler returns.
  Session& session() const { return *request_.session(); }

  /// The command is completed; `form` is a data form of type result (XEP-0004 §3.4), `note` a sentence (§3.4).
  void result(std::optional<xml::Element> form, std::string_view note = {});
  void fail(const xmpp::StanzaError& error) { request_.fail(error); }

 private:
  IqRequest request_;
  std::string node_;
  std::string session_id_;
};

struct Command {
  std::string node;
  std::string name;  ///< what menus show
  std::function<void(CommandRequest)> handle;
};

}  // namespace kith::module
