#include "modules/registration/registration.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/network.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using module::Access;
using module::Passwords;
using module::Target;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

/// How often an account has changed its password lately.
struct Changes {
  std::optional<TokenBucket> left;
};

// SECURITY: built anew, not from the request, so that no password is sent back (XEP-0077 §3.3).
xmpp::Stanza reply_to(std::string_view id, std::string_view type) {
  xml::Element iq("iq", xmpp::ns::client);
  iq.set("type", std::string(type)).set("id", std::string(id));
  return xmpp::Stanza::make(std::move(iq));
}
xmpp::Stanza error_to(std::string_view id, const StanzaError& error) {
  xml::Element iq("iq", xmpp::ns::client);
  iq.set("type", "error").set("id", std::string(id));
  iq.add(error.to_element());
  return xmpp::Stanza::make(std::move(iq));
}

StanzaError of(Passwords::Trouble trouble) {
  if (trouble == Passwords::Trouble::busy) {
    return {ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."};
  }
  return {ErrorType::modify, Condition::not_acceptable, "This password cannot be used."};
}

std::string text_of_child(const xml::Element& query, std::string_view name) {
  const xml::Element* child = query.child(name, Registration::ns_register);
  return child == nullptr ? std::string() : child->text();
}

/// The requester's session, if it asks its own server about its own account; else null.
module::Session* member(const module::IqRequest& request) {
  module::Session* session = request.session();
  if (session == nullptr) return nullptr;
  const auto& to = request.stanza().to();
  // A session of one local domain is a stranger to the other ones.
  return !to || to->domainpart() == session->jid().domainpart() ? session : nullptr;
}

}  // namespace

/// Somebody who wants an account, on the way through storage and hashing.
struct Registration::Applicant {
  std::string id;
  xmpp::BareJid jid;
  Secret password;
  Answer answer;

  void refuse(const StanzaError& error) { answer(error_to(id, error)); }
  void taken() { refuse({ErrorType::cancel, Condition::conflict, "This username is taken."}); }
};

void Registration::attach(module::Hooks& hooks) {
  hooks.on<module::StreamFeatures>(this, &Registration::announce);
  hooks.on<module::IqBeforeLogin>(module::Phase::validate, this, &Registration::before_login);
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "query", ns_register, this, &Registration::tell);
  hooks.on_iq(Target::server, Access::anyone, StanzaType::set, "query", ns_register, this, &Registration::change);
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "query", ns_register, this, &Registration::tell);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "query", ns_register, this, &Registration::change);
}

void Registration::configure(const module::Settings& settings) {
  open_ = settings.boolean("open");
  password_change_ = settings.boolean("password_change");
  removal_ = settings.boolean("removal");
  instructions_ = settings.text("instructions");
  reserved_.clear();
  for (const std::string& name : settings.texts("reserved_names")) {
    if (auto prepared = xmpp::prepare_localpart(name)) reserved_.insert(*std::move(prepared));
  }
}

// --- before login
// --------------------------------------------------------------------------------------------------------

void Registration::announce(module::StreamFeatures& event) {
  if (open_ && event.tls && !event.authenticated) event.features.add(xml::Element("register", ns_feature));
}

module::Outcome Registration::before_login(module::IqBeforeLogin& event) {
  const xml::Element* query = event.stanza.payload();
  if (query == nullptr || !query->is("query", ns_register)) return module::Next{};
  const bool set = event.stanza.type() == StanzaType::set;
  const std::string id(event.stanza.id());
  const auto refuse = [&](const StanzaError& error) {
    event.answer(error_to(id, error));
    return module::Done{};
  };
  const auto& to = event.stanza.to();
  if (!open_ || (to && to->text() != event.domain)) return refuse(StanzaError::of(Condition::service_unavailable));
  if (!event.tls) return refuse({ErrorType::modify, Condition::not_authorized, "The stream is not encrypted."});
  if (!set) {
    xml::Element form("query", ns_register);
    form.add_text_child("instructions", instructions_);
    form.add(xml::Element("username", ns_register)).add(xml::Element("password", ns_register));
    xmpp::Stanza reply = reply_to(id, "result");
    reply.edit().add(std::move(form));
    event.answer(std::move(reply));
    return module::Done{};
  }
  // XEP-0077 §3.2: there is no account whose end this could be.
  if (query->child("remove", ns_register) != nullptr) return refuse(StanzaError::of(Condition::unexpected_request));
  apply(event, *query);
  return module::Done{};
}

void Registration::apply(module::IqBeforeLogin& event, const xml::Element& query) {
  const std::string id(event.stanza.id());
  const auto refuse = [&](ErrorType type, Condition condition, std::string text) {
    event.answer(error_to(id, {type, condition, std::move(text)}));
  };
  Secret password(text_of_child(query, "password"));
  const std::string username = text_of_child(query, "username");
  if (username.empty() || password.empty()) {
    return refuse(ErrorType::modify, Condition::not_acceptable, "A username and a password are needed.");
  }
  const std::optional<std::string> local = xmpp::prepare_localpart(username);
  if (!local || !xmpp::is_identifier_localpart(*local)) {
    return refuse(ErrorType::modify, Condition::not_acceptable, "This username cannot be used.");
  }
  const std::optional<xmpp::Jid> jid = xmpp::Jid::from_parts(*local, event.domain);
  if (!jid) return refuse(ErrorType::modify, Condition::not_acceptable, "This username cannot be used.");
  // Before anything costs work or tells which names are taken.
  if (!take_turn(event.peer_address)) {
    events_.limit_hit("registrations_per_address");
    return refuse(ErrorType::wait, Condition::not_acceptable,
                  "Too many registrations from your address. Try again later.");
  }
  Applicant applicant{id, xmpp::BareJid::of(*jid), std::move(password), std::move(event.answer)};
  if (reserved_.contains(*local)) return applicant.taken();
  const xmpp::BareJid name = applicant.jid;
  store_.find(name, [this, applicant = std::move(applicant)](
                        storage::Result<std::optional<storage::AccountRecord>> found) mutable {
    if (!found) return applicant.refuse(StanzaError::storage_failed());
    if (*found) return applicant.taken();
    add_account(std::move(applicant));
  });
}

void Registration::add_account(Applicant applicant) {
  Secret password = std::move(applicant.password);
  passwords_.derive(std::move(password), [this, applicant = std::move(applicant)](
                                             std::expected<xmpp::Credentials, Passwords::Trouble> derived) mutable {
    if (!derived) return applicant.refuse(of(derived.error()));
    const storage::AccountRecord record{applicant.jid, *std::move(derived), clock_.wall(), false};
    store_.add(record, [this, applicant = std::move(applicant)](storage::Result<bool> added) mutable {
      if (!added) return applicant.refuse(StanzaError::storage_failed());
      // Somebody was faster.
      if (!*added) return applicant.taken();
      events_.record(LogLevel::info, "account_registered", {{"domain", std::string(applicant.jid.domainpart())}});
      applicant.answer(reply_to(applicant.id, "result"));
    });
  });
}

bool Registration::take_turn(std::string_view peer_address) {
  return rates_.take("registration " + to_text(network_of(peer_address)), limits_.registrations_per_address);
}

// --- after login
// ---------------------------------------------------------------------------------------------------------

void Registration::tell(module::IqRequest request) {
  const module::Session* session = member(request);
  if (session == nullptr) return request.fail(StanzaError::of(Condition::service_unavailable));
  xml::Element query("query", ns_register);
  query.add(xml::Element("registered", ns_register));
  if (password_change_)
    query.add_text_child("instructions", "You have an account. Give a new password to change yours.");
  query.add_text_child("username", session->jid().localpart());
  query.add(xml::Element("password", ns_register));
  request.reply(std::move(query));
}

void Registration::change(module::IqRequest request) {
  if (member(request) == nullptr) return request.fail(StanzaError::of(Condition::forbidden));
  if (request.payload().child("remove", ns_register) != nullptr) return remove_account(std::move(request));
  change_password(std::move(request));
}

// XEP-0077 §3.3
void Registration::change_password(module::IqRequest request) {
  module::Session& session = *request.session();
  if (!password_change_) return request.fail(StanzaError::of(Condition::not_allowed));
  if (session.facts().tls.empty()) {
    return request.fail({ErrorType::modify, Condition::not_authorized, "The stream is not encrypted."});
  }
  Secret password(text_of_child(request.payload(), "password"));
  const std::string username = text_of_child(request.payload(), "username");
  // An empty password changes nothing.
  if (username.empty() || password.empty()) return request.fail(StanzaError::of(Condition::bad_request));
  if (xmpp::prepare_localpart(username) != session.jid().localpart()) {
    return request.fail(StanzaError::of(Condition::forbidden));
  }
  auto& changes = session.account().attachments().get<Changes>();
  if (!changes.left) changes.left.emplace(password_changes, clock_.now());
  if (!changes.left->take(1, clock_.now())) {
    events_.limit_hit("password_changes");
    return request.fail({ErrorType::wait, Condition::policy_violation, "Too many changes. Try again later."});
  }
  const xmpp::FullJid who = session.jid();
  passwords_.derive(std::move(password), [this, who, request = std::move(request)](
                                             std::expected<xmpp::Credentials, Passwords::Trouble> derived) mutable {
    if (!derived) return request.fail(of(derived.error()));
    store_.set_credentials(
        who.bare(), *derived, [this, who, request = std::move(request)](storage::Result<bool> changed) mutable {
          if (!changed) return request.fail(StanzaError::storage_failed());
          if (!*changed) return request.fail(StanzaError::of(Condition::registration_required));
          events_.record(LogLevel::info, "password_changed", {{"domain", std::string(who.domainpart())}});
          request.reply();
          // SECURITY: who changes a password that became known wants the others out.
          accounts_.close_sessions(who.bare(), {xmpp::StreamCondition::reset, "The password was changed."},
                                   std::string(who.resourcepart()));
        });
  });
}

// XEP-0077 §3.2
void Registration::remove_account(module::IqRequest request) {
  if (request.payload().child_element_count() != 1) return request.fail(StanzaError::of(Condition::bad_request));
  if (!removal_) return request.fail(StanzaError::of(Condition::not_allowed));
  const xmpp::BareJid account = request.session()->jid().bare();
  // The answer tells of what is on disk; the account's streams end after it.
  accounts_.remove(account, [this, account, request = std::move(request)](storage::Result<bool> removed) mutable {
    const bool done = removed && *removed;
    events_.record(done ? LogLevel::info : LogLevel::error, done ? "account_removed" : "account_removal_failed",
                   {{"domain", std::string(account.domainpart())}});
    if (done) {
      request.reply();
    } else {
      request.fail(StanzaError::storage_failed());
    }
  });
}

}  // namespace kith::modules
