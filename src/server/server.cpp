#include "server/server.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/version.h"
#include "net/certificates.h"
#include "net/connection.h"
#include "net/connection_limiter.h"
#include "net/listener.h"
#include "net/server_lookup.h"
#include "runtime/worker_pool.h"
#include "server/admin_api.h"
#include "server/admin_server.h"
#include "server/admin_work.h"
#include "server/metrics_server.h"
#include "server/shard_unit.h"
#include "server/startup_pages.h"
#include "storage/sqlite/migrations.h"
#include "xmpp/jid.h"

namespace kith::server {

namespace fs = std::filesystem;
using Security = stream::Negotiation::Security;

namespace {

constexpr std::chrono::seconds drain_time{8};
constexpr unsigned file_threads = 2;
constexpr std::size_t file_jobs_waiting = 1000;
/// To look for another server and not to find it takes some time.
constexpr std::chrono::seconds admin_request_time{40};

/// A connection's place among those of its address, as the sessions see it.
class LimiterAdmission final : public session::Admission {
 public:
  explicit LimiterAdmission(net::ConnectionLimiter::Admission admission) : admission_(std::move(admission)) {}
  void logged_in() override { admission_.authenticated(); }

 private:
  net::ConnectionLimiter::Admission admission_;
};

/// The secret behind all that must be the same after a restart and that nobody else can make: tokens, ids of archived
/// messages, slots for uploads, the salts of accounts that do not exist. Made once.
std::expected<Secret, std::string> load_secret(const fs::path& file, Random& random) {
  std::ifstream existing(file);
  if (existing) {
    std::string hex;
    existing >> hex;
    if (auto bytes = hex_decode(hex); bytes && bytes->size() == 32) return Secret(std::move(*bytes));
    return std::unexpected(file.string() + " is damaged; remove it and start again, a new one will be made.");
  }
  std::string bytes(32, '\0');
  random.fill(std::as_writable_bytes(std::span(bytes)));
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::string text = hex_encode(bytes) + "\n";
  const bool written =
      descriptor >= 0 && ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (descriptor >= 0) ::close(descriptor);
  if (!written)
    return std::unexpected("Cannot write " + file.string() +
                           "; the data directory must be writable for the user that runs kithd.");
  return Secret(std::move(bytes));
}

/// False where the kernel runs without IPv6, and so no address of it can be listened on.
bool has_ipv6() {
  const net::Socket probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  return probe.open() && ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}

void raise_descriptor_limit() {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

}  // namespace

struct Server::Parts {
  Parts(Config configuration, std::span<const module::Registration> list, const Clock& the_clock, Events& the_events)
      : config(std::move(configuration)),
        features(list),
        clock(the_clock),
        events(the_events),
        limits(config.limits),
        started(the_clock.now()),
        started_wall(the_clock.wall()),
        limiter(limits, the_clock),
        guard(the_clock, limits),
        rates(the_clock, most_rated_names),
        http_rates(the_clock, most_asking_networks) {}
  ~Parts() { stop_shards(); }

  std::expected<void, std::string> open();
  std::expected<void, std::string> open_certificates();
  std::expected<std::vector<net::CertificateProblem>, std::string> read_certificates();
  std::expected<void, std::string> open_federation();
  std::expected<void, std::string> open_components();
  std::optional<ShardSurroundings::Federation> federation_of(ShardUnit& unit);
  std::expected<void, std::string> open_shards();
  std::expected<void, std::string> listen();
  std::expected<void, std::string> listen_on_first_shard();
  std::expected<void, std::string> open_listener(const Endpoint& endpoint, const net::ConnectionSettings& settings,
                                                 Security security, std::string_view name);
  void accept_web(ShardUnit& unit, net::Socket socket, std::string address, const net::ConnectionSettings& settings,
                  Security security, std::shared_ptr<void> place);
  std::unique_ptr<session::Admission> admit_client(const std::string& address);
  std::expected<void, std::string> open_control();
  void start_threads();
  /// Calls `work` on every shard's thread, and returns when each has called `done` (or dropped it).
  void on_every_shard(const std::function<void(ShardUnit& unit, Task done)>& work);
  void stop_shards();
  void begin_drain(int signal);
  void watch_drain();
  void wait_for_end();
  void wait_for_hangup();
  std::expected<std::vector<std::string>, std::string> reload();
  ShardSettings shard_settings() const;
  net::CertificateStore::Settings certificate_settings() const;
  void tell(const std::vector<net::CertificateProblem>& problems);

  Config config;
  std::span<const module::Registration> features;
  const Clock& clock;
  Events& events;
  SystemRandom random;
  const Limits limits;  ///< of what all shards share; fixed until the daemon starts again
  const MonotonicTime started;
  const WallTime started_wall;
  Secret server_secret;

  std::unique_ptr<net::CertificateStore> certificates;
  net::ConnectionLimiter limiter;
  session::LoginGuard guard;
  RateTable rates;
  RateTable http_rates;
  net::ConnectionSettings starttls_settings;
  net::ConnectionSettings direct_settings;
  net::ConnectionSettings plaintext_settings;
  net::ConnectionSettings s2s_settings;
  net::ConnectionSettings s2s_direct_settings;
  net::ConnectionSettings https_settings;
  Secret dialback_secret;
  session::WaitingTotals waiting_totals;
  std::unique_ptr<session::ComponentPlaces> component_places;

  std::unique_ptr<PasswordCheckWork> password_checks;
  std::vector<std::unique_ptr<ShardUnit>> units;
  ShardRoads roads{units};
  // Ends before the shards that its answers go to, after the stores that write to it are no longer used.
  std::unique_ptr<storage::SqlStorage> storage;
  std::unique_ptr<runtime::WorkerPool> workers;
  std::unique_ptr<runtime::WorkerPool> file_workers;
  std::unique_ptr<net::Resolver> resolver;  ///< null: there is no federation
  std::vector<std::unique_ptr<net::Listener>> listeners;
  std::vector<std::string> listener_names;
  unsigned next_shard = 0;

  boost::asio::io_context control{1};
  boost::asio::signal_set ending{control, SIGTERM, SIGINT};
  boost::asio::signal_set hangup{control, SIGHUP};
  boost::asio::steady_timer drain_timer{control};
  std::chrono::steady_clock::time_point drain_until;
  std::unique_ptr<AdminWork> admin_work;
  std::unique_ptr<AdminApi> admin_api;
  std::unique_ptr<AdminServer> admin_server;
  std::vector<std::unique_ptr<MetricsServer>> metrics;
  bool draining = false;
  bool servers_told = false;
};

// --- start
// -----------------------------------------------------------------------------------------------------------------

std::expected<void, std::string> Server::Parts::open() {
  raise_descriptor_limit();
  std::error_code error;
  fs::create_directories(config.data_directory, error);
  if (error) {
    return std::unexpected("Cannot make the data directory " + config.data_directory.string() + " (" + error.message() +
                           "); set data_directory in kith.toml to one that kithd may write to.");
  }
  fs::permissions(config.data_directory, fs::perms::owner_all, error);
  auto secret = load_secret(config.data_directory / "secret", random);
  if (!secret) return std::unexpected(secret.error());
  server_secret = std::move(*secret);
  try {
    storage = std::make_unique<storage::SqlStorage>(config.storage.file.string(), events, clock);
  } catch (const std::exception& trouble) {
    return std::unexpected(trouble.what());
  }
  if (auto ok = open_certificates(); !ok) return ok;
  if (auto ok = open_federation(); !ok) return ok;
  if (auto ok = open_components(); !ok) return ok;
  if (auto ok = open_shards(); !ok) return ok;
  start_threads();
  // Before anybody can come to resume one.
  on_every_shard([](ShardUnit& unit, Task done) { unit.runtime->c2s().restore_sessions(std::move(done)); });
  on_every_shard([](ShardUnit& unit, Task done) {
    if (session::S2sService* streams = unit.runtime->s2s()) return streams->restore(std::move(done));
    done();
  });
  if (auto ok = listen_on_first_shard(); !ok) return ok;
  return open_control();
}

net::CertificateStore::Settings Server::Parts::certificate_settings() const {
  net::CertificateStore::Settings settings{.directories = config.certificates.directories,
                                           .domains = {},
                                           .require_private_keys = config.certificates.require_private_keys};
  for (const std::string& domain : config.domains) settings.domains.push_back(xmpp::domain_to_ascii(domain));
  return settings;
}

void Server::Parts::tell(const std::vector<net::CertificateProblem>& problems) {
  for (const net::CertificateProblem& problem : problems)
    events.record(problem.level, "certificate", {{"problem", problem.sentence}});
}

std::expected<std::vector<net::CertificateProblem>, std::string> Server::Parts::read_certificates() {
  std::vector<net::CertificateProblem> problems = certificates->reload(certificate_settings());
  bool made = false;
  for (const std::string& domain : certificate_settings().domains) {
    if (certificates->covers(domain) || !config.certificates.self_signed) continue;
    // A first start without a certificate: one that nobody vouches for is better than no encryption, and clients say
    // so.
    const fs::path directory = config.data_directory / "certs";
    if (fs::exists(directory / (domain + ".crt"))) continue;
    const auto file = net::create_self_signed(directory, domain, {}, clock);
    if (!file) return std::unexpected(file.error());
    events.record(LogLevel::warning, "self_signed_certificate", {{"file", file->string()}, {"domain", domain}});
    made = true;
  }
  if (made) problems = certificates->reload();
  return problems;
}

std::expected<void, std::string> Server::Parts::open_certificates() {
  certificates = std::make_unique<net::CertificateStore>(certificate_settings(), clock);
  const auto problems = read_certificates();
  if (!problems) return std::unexpected(problems.error());
  tell(*problems);
  for (const std::string& domain : certificate_settings().domains) {
    if (!certificates->covers(domain) && !(config.listen.c2s.empty() && config.listen.c2s_direct_tls.empty())) {
      return std::unexpected("There is no usable certificate for " + domain + "; put " + domain + ".crt and " + domain +
                             ".key into " + config.certificates.directories.front().string() +
                             ", or set certificates.directories to where they are.");
    }
  }
  return {};
}

ShardSettings Server::Parts::shard_settings() const {
  ShardSettings settings{.hosts = {.domains = config.domains, .admins = config.admins, .web_port = config.web_port()},
                         .limits = config.limits,
                         .modules = {},
                         .http = {.trusted_proxies = config.http.trusted_proxies},
                         .websocket_origins = config.http.origins};
  for (const module::Registration& feature : features) {
    if (config.enabled(feature.descriptor->name))
      settings.modules.emplace_back(&feature, config.settings_of(feature.descriptor->name));
  }
  return settings;
}

std::expected<void, std::string> Server::Parts::open_federation() {
  if (!config.federates()) return {};
  // Not the secret itself: what goes out over the network is made with a key of its own.
  dialback_secret = derive_key(server_secret, "dialback");
  try {
    s2s_settings = {.contexts = certificates.get(),
                    .alpn = {},
                    .handshake_time = limits.tls_handshake_time,
                    .trusted = net::load_trusted_certificates(config.federation.trusted_certificates.string()),
                    .client_context = net::new_client_context()};
    s2s_direct_settings = s2s_settings;
    s2s_direct_settings.alpn = "xmpp-server";
    resolver = std::make_unique<net::UnboundResolver>(
        net::ResolverSettings{.trust_anchors = config.federation.dnssec_trust_anchors.string(),
                              .on_full = [this] { events.limit_hit("dns_lookups"); }});
  } catch (const std::exception& trouble) {
    return std::unexpected(trouble.what());
  }
  return {};
}

std::expected<void, std::string> Server::Parts::open_components() {
  if (config.listen.components.empty() || config.components.secret_files.empty()) return {};
  std::map<std::string, Secret> secrets;
  for (const auto& [domain, file] : config.components.secret_files) {
    std::ifstream input(file);
    std::string line;
    std::getline(input, line);
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) {
      return std::unexpected("Cannot read the secret of the component " + domain + " from " + file.string() +
                             "; its first line must hold it, and kithd must be able to read it.");
    }
    secrets.emplace(domain, Secret(std::string(line)));
    wipe(line);
  }
  component_places = std::make_unique<session::ComponentPlaces>(secrets);
  return {};
}

std::optional<ShardSurroundings::Federation> Server::Parts::federation_of(ShardUnit& unit) {
  if (!config.federates()) return std::nullopt;
  const std::optional<Endpoint> proxy = config.federation.socks5_proxy;
  // Copies that nobody changes: the configuration is replaced by a reload, on another thread.
  auto resolve = [this, &unit, by_proxy = proxy.has_value(),
                  hosts = std::make_shared<const decltype(config.federation.hosts)>(config.federation.hosts)](
                     const std::string& domain, auto then) {
    const auto answer = [&unit](auto answered, session::S2sDeps::Targets targets) {
      unit.shard.post(
          [answered = std::move(answered), targets = std::move(targets)]() mutable { answered(std::move(targets)); });
    };
    if (const auto known = hosts->find(domain); known != hosts->end()) {
      std::vector<session::S2sTarget> targets;
      for (const Endpoint& endpoint : known->second) {
        if (endpoint.is_onion()) {
          targets.push_back({.address = {}, .port = endpoint.port, .host = endpoint.address});
        } else {
          targets.push_back({.address = endpoint.address, .port = endpoint.port});
        }
      }
      return answer(std::move(then), std::move(targets));
    }
    // RFC 7686 §2: DNS is never asked about these.
    if (domain.ends_with(".onion")) {
      if (!by_proxy) {
        return answer(std::move(then),
                      std::unexpected(session::NoTargets{
                          .why = "it is an onion service, and no proxy for these is configured (socks5_proxy)",
                          .for_good = true}));
      }
      return answer(std::move(then), std::vector<session::S2sTarget>{{.address = {}, .host = domain, .proven = true}});
    }
    net::look_up_server(*resolver, xmpp::domain_to_ascii(domain), random,
                        [&unit, then = std::move(then)](net::ServerFound found) mutable {
                          session::S2sDeps::Targets targets;
                          if (found) {
                            for (net::ServerAddress& one : *found) {
                              targets->push_back({.address = std::move(one.address),
                                                  .port = one.port,
                                                  .direct_tls = one.direct_tls,
                                                  .pins = std::move(one.pins)});
                            }
                          } else {
                            targets = std::unexpected(session::NoTargets{.why = std::move(found.error().why),
                                                                         .for_good = found.error().for_good});
                          }
                          unit.shard.post([then = std::move(then), targets = std::move(targets)]() mutable {
                            then(std::move(targets));
                          });
                        });
  };
  auto dial = [this, &unit, proxy](const session::S2sTarget& target) -> std::unique_ptr<net::Transport> {
    if (!target.host.empty() && !proxy) return nullptr;
    const net::ServerAddress place = target.host.empty() ? net::ServerAddress{target.address, target.port}
                                                         : net::ServerAddress{proxy->address, proxy->port};
    net::Socket socket = net::begin_connect(place);
    if (!socket.open()) return nullptr;
    auto made = std::make_unique<net::Connection>(unit.shard, std::move(socket), place.address,
                                                  target.direct_tls ? s2s_direct_settings : s2s_settings,
                                                  net::Connection::Begin::plain);
    made->expect(target.pins);
    return made;
  };
  return ShardSurroundings::Federation{.secret = dialback_secret,
                                       .require_certificates = config.federation.require_certificates,
                                       .dane = !config.federation.dnssec_trust_anchors.empty(),
                                       .onions = proxy.has_value(),
                                       .waiting = waiting_totals,
                                       .resolve = std::move(resolve),
                                       .dial = std::move(dial)};
}

std::expected<void, std::string> Server::Parts::open_shards() {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  // A core is left to the database's thread, to hashing and to the kernel's network (docs/decisions/0012).
  const unsigned count = config.shards == 0 ? std::max(1U, cores - 1) : config.shards;
  workers = std::make_unique<runtime::WorkerPool>(cores, limits.hash_jobs_waiting, [this](const char* what) {
    events.record(LogLevel::error, "worker_fault", {{"what", what}});
  });
  const RunJob run_job = [this](Task job) { return workers->submit(std::move(job)); };
  password_checks = std::make_unique<PasswordCheckWork>(run_job);
  // Threads of their own: a slow disk must not hold logins up.
  const std::string file_directory = (config.data_directory / "files").string();
  try {
    storage::prepare_file_directory(file_directory);
  } catch (const std::exception& trouble) {
    return std::unexpected(trouble.what());
  }
  file_workers = std::make_unique<runtime::WorkerPool>(file_threads, file_jobs_waiting, [this](const char* what) {
    events.record(LogLevel::error, "worker_fault", {{"what", what}});
  });
  const storage::RunFileJob run_file_job = [this](Task job) {
    return file_workers && file_workers->submit(std::move(job));
  };

  for (unsigned i = 0; i < count; ++i) units.push_back(std::make_unique<ShardUnit>(i, clock));
  for (const auto& pointer : units) {
    ShardUnit& unit = *pointer;
    unit.stores = storage->make_stores(unit.shard);
    unit.store_refs = std::make_unique<storage::Stores>(unit.stores->stores());
    unit.files = std::make_unique<storage::DiskFiles>(unit.shard, random, run_file_job, file_directory);
    unit.runtime = std::make_unique<ShardRuntime>(
        ShardSurroundings{
            .index = unit.shard.index(),
            .shard = unit.shard,
            .clock = unit.shard.clock(),
            .timers = unit.shard.timers(),
            .random = random,
            .events = events,
            .stores = *unit.store_refs,
            .commit_log = storage->commit_log(),
            .crossroads = roads,
            .rates = rates,
            .guard = guard,
            .password_checker = *password_checks,
            .run_job = run_job,
            .server_secret = server_secret,
            .send_off =
                [this](unsigned shard, std::unique_ptr<session::Parcel> parcel) {
                  ShardUnit& there = *units[shard];
                  there.shard.post([&there, parcel = std::move(parcel)]() mutable {
                    there.runtime->c2s().arrive(std::move(parcel));
                  });
                },
            .software_version = version,
            .started = started,
            .federation = federation_of(unit),
            .components = component_places.get(),
            .web =
                ShardSurroundings::Web{.rates = http_rates,
                                       .clock = clock,
                                       .admit = [this](const std::string& address) { return admit_client(address); }},
            .files = unit.files.get()},
        shard_settings());
    unit.mailbox = std::make_unique<runtime::Mailbox<router::Crossing>>(
        unit.shard, limits.mailbox_items,
        [&unit](router::Crossing crossing) { unit.runtime->router().receive(std::move(crossing)); });
    storage->on_decided(unit.shard, [&unit] { unit.runtime->router().commits_advanced(); });
  }
  return {};
}

std::expected<void, std::string> Server::Parts::open_listener(const Endpoint& endpoint,
                                                              const net::ConnectionSettings& settings,
                                                              Security security, std::string_view name) {
  const bool servers = name.starts_with("s2s");
  const bool components = name == "components";
  const bool web = name.starts_with("http");
  auto accepted = [this, &settings, security, servers, components, web](net::Socket socket, std::string address) {
    // A proxy brings many clients by one address; they are counted one by one when they ask.
    if (web && units.front()->runtime->http()->trusts(address)) {
      ShardUnit& unit = *units[next_shard++ % units.size()];
      unit.shard.post(
          [this, &unit, &settings, security, socket = std::move(socket), address = std::move(address)]() mutable {
            accept_web(unit, std::move(socket), std::move(address), settings, security, nullptr);
          });
      return;
    }
    auto place = limiter.admit(address);
    if (!place) {
      events.limit_hit(net::name_of(place.error()));
      return;  // The socket closes itself: an answer would cost what the limit is there to save.
    }
    ShardUnit& unit = *units[next_shard++ % units.size()];
    unit.shard.post([this, &unit, &settings, security, servers, components, web, socket = std::move(socket),
                     address = std::move(address),
                     admission = std::make_unique<LimiterAdmission>(std::move(*place))]() mutable {
      if (web) {
        // Who only reads a page need not log in.
        admission->logged_in();
        return accept_web(unit, std::move(socket), std::move(address), settings, security, std::move(admission));
      }
      const auto begin = security == Security::direct_tls ? net::Connection::Begin::tls : net::Connection::Begin::plain;
      if (components) {
        unit.runtime->components()->accept(
            std::make_unique<net::Connection>(unit.shard, std::move(socket), std::move(address), settings, begin));
        return;
      }
      if (servers) {
        unit.runtime->s2s()->accept(
            std::make_unique<net::Connection>(unit.shard, std::move(socket), std::move(address), settings, begin),
            std::move(admission));
        return;
      }
      unit.runtime->c2s().accept(
          std::make_unique<net::Connection>(unit.shard, std::move(socket), std::move(address), settings, begin),
          security, std::move(admission));
    });
  };
  // Listener's handler is copyable by its type; the socket itself is only ever moved through it.
  auto listener = net::Listener::open(units.front()->shard, events, endpoint.text(), std::move(accepted));
  if (!listener) return std::unexpected(listener.error());
  listener_names.push_back((*listener)->address() + " " + std::string(name));
  events.record(LogLevel::info, "listening", {{"address", (*listener)->address()}, {"service", std::string(name)}});
  listeners.push_back(std::move(*listener));
  return {};
}

void Server::Parts::accept_web(ShardUnit& unit, net::Socket socket, std::string address,
                               const net::ConnectionSettings& settings, Security security,
                               std::shared_ptr<void> place) {
  const bool tls = security == Security::direct_tls;
  const auto begin = tls ? net::Connection::Begin::tls : net::Connection::Begin::plain;
  unit.runtime->http()->accept(
      std::make_unique<net::Connection>(unit.shard, std::move(socket), std::move(address), settings, begin), tls,
      std::move(place));
}

std::unique_ptr<session::Admission> Server::Parts::admit_client(const std::string& address) {
  auto place = limiter.admit(address);
  if (place) return std::make_unique<LimiterAdmission>(std::move(*place));
  events.limit_hit(net::name_of(place.error()));
  return nullptr;
}

std::expected<void, std::string> Server::Parts::listen_on_first_shard() {
  std::packaged_task<std::expected<void, std::string>()> open([this] { return listen(); });
  auto opened = open.get_future();
  units.front()->shard.post([open = std::move(open)]() mutable { open(); });
  return opened.get();
}

std::expected<void, std::string> Server::Parts::listen() {
  starttls_settings = {.contexts = certificates.get(), .alpn = {}, .handshake_time = limits.tls_handshake_time};
  direct_settings = {
      .contexts = certificates.get(), .alpn = "xmpp-client", .handshake_time = limits.tls_handshake_time};
  https_settings = {.contexts = certificates.get(), .alpn = "http/1.1", .handshake_time = limits.tls_handshake_time};
  plaintext_settings = {.contexts = nullptr, .alpn = {}, .handshake_time = limits.tls_handshake_time};
  // The defaults name both families. Where the machine has no IPv6, "[::]" beside "0.0.0.0" asks for nothing that it
  // could give, and must not keep the server from starting; alone, or as a certain address, it is meant.
  const bool ipv6 = has_ipv6();
  const auto open_all = [&](const std::vector<Endpoint>& endpoints, const net::ConnectionSettings& settings,
                            Security security, std::string_view name) -> std::expected<void, std::string> {
    for (const Endpoint& endpoint : endpoints) {
      const std::string twin = endpoint.address == "::" ? "0.0.0.0" : endpoint.address == "::1" ? "127.0.0.1" : "";
      if (!ipv6 && !twin.empty() && std::ranges::find(endpoints, Endpoint{twin, endpoint.port}) != endpoints.end()) {
        events.record(LogLevel::warning, "no_ipv6", {{"address", endpoint.text()}, {"service", std::string(name)}});
        continue;
      }
      if (auto ok = open_listener(endpoint, settings, security, name); !ok) return ok;
    }
    return {};
  };
  if (auto ok = open_all(config.listen.c2s, starttls_settings, Security::starttls_required, "c2s"); !ok) return ok;
  if (auto ok = open_all(config.listen.c2s_direct_tls, direct_settings, Security::direct_tls, "c2s-direct-tls"); !ok)
    return ok;
  if (auto ok = open_all(config.listen.c2s_plaintext, plaintext_settings, Security::clear_on_loopback, "c2s-plaintext");
      !ok)
    return ok;
  if (auto ok = open_all(config.listen.s2s, s2s_settings, Security::starttls_required, "s2s"); !ok) return ok;
  if (auto ok = open_all(config.listen.s2s_direct_tls, s2s_direct_settings, Security::direct_tls, "s2s-direct-tls");
      !ok)
    return ok;
  if (component_places) {
    if (auto ok = open_all(config.listen.components, plaintext_settings, Security::clear_on_loopback, "components");
        !ok)
      return ok;
  }
  if (auto ok = open_all(config.listen.https, https_settings, Security::direct_tls, "https"); !ok) return ok;
  if (auto ok = open_all(config.listen.http, plaintext_settings, Security::clear_on_loopback, "http"); !ok) return ok;
  if (listeners.empty())
    return std::unexpected("Nothing to listen on: every list under [listen] in kith.toml is empty.");
  return {};
}

std::expected<void, std::string> Server::Parts::open_control() {
  admin_work = std::make_unique<AdminWork>(AdminWork::Deps{.units = units,
                                                           .clock = clock,
                                                           .events = events,
                                                           .started = started_wall,
                                                           .domains = [this] { return config.domains; },
                                                           .listeners = [this] { return listener_names; },
                                                           .reload = [this] { return reload(); }});
  admin_api = std::make_unique<AdminApi>(*admin_work);
  admin_server =
      std::make_unique<AdminServer>(control, *admin_api, SmallHttpLimits{.request_time = admin_request_time});
  if (auto ok = admin_server->start(config.admin_socket); !ok) return ok;
  for (const Endpoint& endpoint : config.listen.metrics) {
    auto server = std::make_unique<MetricsServer>(control, [this] { return events.open_metrics(); });
    if (auto ok = server->start(endpoint.address, endpoint.port); !ok) return ok;
    listener_names.push_back(endpoint.text() + " metrics");
    metrics.push_back(std::move(server));
  }
  return {};
}

// --- run
// -------------------------------------------------------------------------------------------------------------------

void Server::Parts::start_threads() {
  for (const auto& unit : units) {
    unit->thread = std::thread([this, &unit = *unit] {
      unit.shard.run([this](const char* what) { events.record(LogLevel::error, "shard_fault", {{"what", what}}); });
    });
  }
}

void Server::Parts::on_every_shard(const std::function<void(ShardUnit& unit, Task done)>& work) {
  std::latch all(static_cast<std::ptrdiff_t>(units.size()));
  for (const auto& unit : units) {
    // Counted when it is called or dropped: a fault on one shard must not hold up the whole.
    std::shared_ptr<void> done(nullptr, [&all](void*) { all.count_down(); });
    unit->shard.post([&unit = *unit, &work, done = std::move(done)]() mutable {
      work(unit, [done = std::move(done)]() mutable { done.reset(); });
    });
  }
  all.wait();
}

void Server::Parts::stop_shards() {
  // What the stores still have is written and answered first, so that nothing that was taken is lost.
  if (storage) storage->drain();
  for (const auto& unit : units) unit->shard.stop();
  for (const auto& unit : units) {
    if (unit->thread.joinable()) unit->thread.join();
  }
  // Iq requests that still wait somewhere (in a job, a task of any shard, an answer of the storage) answer themselves
  // when they are dropped: the routers must stand until the last is gone, and take nothing more.
  for (const auto& unit : units) {
    if (unit->runtime) unit->runtime->router().retire();
  }
  workers.reset();
  file_workers.reset();
  resolver.reset();
  listeners.clear();
  for (const auto& unit : units) {
    if (storage) storage->forget(unit->shard);
  }
  // What the shards asked of the storage in their last turns is answered, too, so that no answer comes after its router
  // has gone.
  if (storage) storage->drain();
  for (const auto& unit : units) unit->shard.drop_tasks();
  // The shards' connections go while storage and loops still stand; then the stores, then the database.
  for (const auto& unit : units) unit->runtime.reset();
  for (const auto& unit : units) {
    unit->store_refs.reset();
    unit->stores.reset();
  }
  storage.reset();
  units.clear();
}

void Server::Parts::wait_for_end() {
  ending.async_wait([this](const boost::system::error_code& error, int signal) {
    if (!error) begin_drain(signal);
  });
}

void Server::Parts::wait_for_hangup() {
  hangup.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    if (const auto notes = reload(); !notes) events.record(LogLevel::error, "reload_refused", {{"why", notes.error()}});
    wait_for_hangup();
  });
}

void Server::Parts::begin_drain(int signal) {
  if (draining) return;
  draining = true;
  events.record(LogLevel::info, "stopping", {{"signal", std::to_string(signal)}});
  hangup.cancel();
  // The listeners live on the first shard; every stream is told that the server is going.
  units.front()->shard.post([this] { listeners.clear(); });
  for (const auto& unit : units) {
    unit->shard.post([&unit = *unit] {
      unit.runtime->http()->shut_down();
      unit.runtime->c2s().shut_down();
    });
  }
  drain_until = std::chrono::steady_clock::now() + drain_time;
  watch_drain();
}

void Server::Parts::watch_drain() {
  const auto now = std::chrono::steady_clock::now();
  const auto clients = events.gauge("kith_connections", "Open client connections.").value();
  const auto servers = events.gauge("kith_server_streams", "Open streams with other servers.").value();
  // After the clients, whose contacts elsewhere are still to be told that they have gone.
  if (!servers_told && (clients == 0 || now >= drain_until - drain_time / 2)) {
    servers_told = true;
    for (const auto& unit : units) {
      unit->shard.post([&unit = *unit] {
        if (session::S2sService* streams = unit.runtime->s2s()) streams->shut_down();
        if (session::Components* components = unit.runtime->components()) components->shut_down();
      });
    }
  }
  if (clients + servers == 0 || now >= drain_until) {
    on_every_shard([](ShardUnit& unit, Task done) { unit.runtime->c2s().save_sessions(std::move(done)); });
    admin_server->stop();
    for (const auto& server : metrics) server->stop();
    control.stop();
    return;
  }
  drain_timer.expires_after(std::chrono::milliseconds(20));
  drain_timer.async_wait([this](const boost::system::error_code&) { watch_drain(); });
}

std::expected<std::vector<std::string>, std::string> Server::Parts::reload() {
  auto fresh = load_config(config.file, features, {.data_directory = config.data_directory});
  if (!fresh) {
    std::string text;
    for (const ConfigError& error : fresh.error()) text += (text.empty() ? "" : "\n") + error.text();
    return std::unexpected(text + "\nNothing was changed.");
  }
  std::vector<std::string> notes;
  for (const ConfigChange& change : changes_between(config, *fresh, features)) {
    notes.push_back(change.key + (change.needs_restart ? " has changed and takes effect when kithd starts again."
                                                       : " was taken over."));
  }
  // What needs a restart keeps its running value, so that the next reload compares with what really runs.
  Config next = std::move(*fresh);
  next.listen = config.listen;
  next.http.public_port = config.http.public_port;
  next.admin_socket = config.admin_socket;
  next.data_directory = config.data_directory;
  next.storage = config.storage;
  next.shards = config.shards;
  next.federation = config.federation;
  next.components = config.components;
  for (auto& [name, feature] : next.modules) {
    if (const auto running = config.modules.find(name); running != config.modules.end())
      feature.enabled = running->second.enabled;
  }
  config = std::move(next);
  events.set_level(config.log_level);
  if (const auto problems = read_certificates()) {
    tell(*problems);
    for (const net::CertificateProblem& problem : *problems) notes.push_back(problem.sentence);
    notes.push_back("Certificates were read again.");
  } else {
    // The new configuration stands; what has no certificate says so until it gets one.
    events.record(LogLevel::error, "certificate", {{"problem", problems.error()}});
    notes.push_back(problems.error());
  }
  for (const auto& unit : units) {
    unit->shard.post(
        [&unit = *unit, settings = shard_settings()]() mutable { unit.runtime->reload(std::move(settings)); });
  }
  events.record(LogLevel::info, "reloaded", {{"changes", std::to_string(notes.size() - 1)}});
  return notes;
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(Config config,
                                                                  std::span<const module::Registration> features,
                                                                  const Clock& clock, Events& events) {
  auto parts = std::make_unique<Parts>(std::move(config), features, clock, events);
  if (auto ok = parts->open(); !ok) return std::unexpected(ok.error());
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

int Server::run() {
  parts_->wait_for_end();
  parts_->wait_for_hangup();
  release_startup_pages();
  parts_->events.record(LogLevel::info, "started",
                        {{"version", std::string(version)}, {"domain", parts_->config.domains.front()}});
  const auto work = boost::asio::make_work_guard(parts_->control);
  parts_->control.run();
  parts_->stop_shards();
  parts_->events.record(LogLevel::info, "stopped");
  return 0;
}

}  // namespace kith::server
