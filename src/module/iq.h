// An iq request on its way through a handler. It is answered exactly once: by reply(), by fail(), or, if it is dropped
// unanswered, with internal-server-error.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "module/account.h"
#include "module/delivery.h"
#include "xmpp/stanza.h"

namespace kith::module {

class IqRequest {
 public:
  /// `account` is the local account that was addressed (also by an iq without `to`), null for the server itself and for
  /// an address that is no account (Access::unguarded).
  /// `session` is the requester's session if it belongs to that account or, for the server, is a local client; else
  /// null. `floor` is the write that any answer waits for at least: the account's last when the request came. `open` is
  /// let go when the answer is on its way.
  IqRequest(xmpp::Stanza stanza, Account* account, Session* session, Delivery& delivery, storage::Ticket floor = {},
            std::shared_ptr<void> open = {})
      : stanza_(std::move(stanza)),
        account_(account),
        session_(session),
        delivery_(&delivery),
        floor_(floor),
        open_(std::move(open)) {}
  IqRequest(IqRequest&& other) noexcept
      : stanza_(std::move(other.stanza_)),
        account_(other.account_),
        session_(other.session_),
        delivery_(std::exchange(other.delivery_, nullptr)),
        floor_(other.floor_),
        open_(std::move(other.open_)) {}
  IqRequest& operator=(IqRequest&&) = delete;
  ~IqRequest() {
    if (delivery_ != nullptr) fail(xmpp::StanzaError::of(xmpp::Condition::internal_server_error));
  }

  const xmpp::Stanza& stanza() const { return stanza_; }
  /// The requester; always set, always true (stamped or checked).
  const xmpp::Jid& from() const { return *stanza_.from(); }
  const xml::Element& payload() const { return *stanza_.payload(); }
  bool is_set() const { return stanza_.type() == xmpp::StanzaType::set; }

  // Both are valid only until the handler returns: a callback that answers later must not use them.
  Account* account() const { return account_; }
  Session* session() const { return session_; }

  /// `<iq type='result'>`. It leaves when `gate` is committed; if that write failed, an error of type wait leaves
  /// instead.
  void reply(std::optional<xml::Element> payload = {}, storage::Ticket gate = {});
  void fail(const xmpp::StanzaError& error, storage::Ticket gate = {});

 private:
  xmpp::Stanza stanza_;
  Account* account_;
  Session* session_;
  Delivery* delivery_;
  storage::Ticket floor_;
  std::shared_ptr<void> open_;
};

}  // namespace kith::module
