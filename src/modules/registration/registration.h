// In-Band Registration (XEP-0077 v2.4): new accounts before login, if the administrator opens it; after login, a new
// password and the end of one's own account. Before login it runs on the shard that took the connection, after login on
// that of the account. Limits: registrations_per_address for each network (base/network.h), on all
// shards together; password_changes for each account. Passwords travel only under TLS, go straight into a Secret and
// are never logged or kept. Does not offer data forms or redirection; answers carry no numeric error codes of old.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/token_bucket.h"
#include "module/module.h"

namespace kith::modules {

class Registration final : public module::Module {
 public:
  static constexpr std::string_view ns_register = "jabber:iq:register";
  static constexpr std::string_view ns_feature = "http://jabber.org/features/iq-register";
  static constexpr Rate password_changes{.per_second = 1.0 / 60, .burst = 5};
  static constexpr module::Descriptor descriptor{
      .name = "registration",
      .summary = "Lets clients change their password or end their account, and make accounts if it is open",
      .specs = {{.xep = 77, .version = "2.4", .note = "no data forms, no redirection, no numeric error codes"}},
      .server_features = {ns_register},
      .settings =
          {
              {.key = "open",
               .type = module::Setting::Type::boolean,
               .fallback = "false",
               .help = "Let anybody who can connect make an account."},
              {.key = "password_change",
               .type = module::Setting::Type::boolean,
               .fallback = "true",
               .help = "Let people change their password with their client."},
              {.key = "removal",
               .type = module::Setting::Type::boolean,
               .fallback = "true",
               .help = "Let people end their account with their client."},
              {.key = "instructions",
               .type = module::Setting::Type::text,
               .fallback = "\"Choose a username and a password.\"",
               .help = "What a client shows to whoever makes an account."},
              {.key = "reserved_names",
               .type = module::Setting::Type::text_list,
               .fallback =
                   R"(["abuse", "admin", "administrator", "hostmaster", "info", "postmaster", "root", "security", )"
                   R"("support", "webmaster", "xmpp"])",
               .help = "Names that only the administrator can give away."},
          },
  };
  explicit Registration(const module::ModuleDeps& deps)
      : clock_(deps.clock),
        events_(deps.events),
        passwords_(deps.passwords),
        accounts_(deps.accounts),
        store_(deps.stores.accounts),
        limits_(deps.limits),
        rates_(deps.rates) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;

 private:
  using Answer = std::move_only_function<void(xmpp::Stanza)>;
  struct Applicant;

  void announce(module::StreamFeatures& event);
  module::Outcome before_login(module::IqBeforeLogin& event);
  void apply(module::IqBeforeLogin& event, const xml::Element& query);
  void add_account(Applicant applicant);
  bool take_turn(std::string_view peer_address);

  void tell(module::IqRequest request);
  void change(module::IqRequest request);
  void change_password(module::IqRequest request);
  void remove_account(module::IqRequest request);

  const Clock& clock_;
  Events& events_;
  module::Passwords& passwords_;
  module::Accounts& accounts_;
  storage::AccountStore& store_;
  const Limits& limits_;
  RateTable& rates_;

  bool open_ = false;
  bool password_change_ = true;
  bool removal_ = true;
  std::string instructions_;
  std::set<std::string, std::less<>> reserved_;
};

}  // namespace kith::modules
