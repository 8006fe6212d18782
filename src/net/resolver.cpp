#include "net/resolver.h"

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

namespace kith::net {

namespace {

constexpr int class_in = 1;
/// Options of unbound.conf, each with why it is not the default.
constexpr std::pair<const char*, const char*> options[] = {
    // Many machines have their resolver at 127.0.0.53 or the like.
    {"do-not-query-localhost:", "no"},
    // A line that was cut is tried again soon after it is back, not after a quarter of an hour.
    {"infra-host-ttl:", "30"},
    {"cache-max-negative-ttl:", "60"},
    // Nobody needs what was right a day ago.
    {"cache-max-ttl:", "3600"},
    // Megabytes of cache are for resolvers of whole networks.
    {"msg-cache-size:", "1m"},
    {"rrset-cache-size:", "2m"},
    {"key-cache-size:", "1m"},
    {"neg-cache-size:", "512k"},
    // Each costs sockets and memory.
    {"outgoing-range:", "256"},
    {"num-queries-per-thread:", "512"},
    // The daemon's own log is no place for it.
    {"use-syslog:", "no"},
};

}  // namespace

void UnboundResolver::Free::operator()(ub_ctx* context) const { ub_ctx_delete(context); }

UnboundResolver::UnboundResolver(ResolverSettings settings) : settings_(std::move(settings)) {
  if (!settings_.trust_anchors.empty() && !std::ifstream(settings_.trust_anchors)) {
    throw std::runtime_error("Cannot read the trust anchors of DNSSEC from " + settings_.trust_anchors + ".");
  }
  stamp_ = stamp();
  context_ = make_context();
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) throw std::runtime_error("No descriptor is left for asking DNS.");
  thread_ = std::thread([this] { run(); });
}

UnboundResolver::~UnboundResolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_, 1);
  thread_.join();
  ::close(wake_);
}

UnboundResolver::Context UnboundResolver::make_context() const {
  Context context(ub_ctx_create());
  if (!context) throw std::runtime_error("libunbound does not start.");
  for (const auto& [option, value] : options) ub_ctx_set_option(context.get(), option, value);
  ub_ctx_debugout(context.get(), nullptr);
  ub_ctx_async(context.get(), 1);
  // A machine without these files asks the world's servers.
  ub_ctx_resolvconf(context.get(), settings_.resolv_conf.c_str());
  ub_ctx_hosts(context.get(), settings_.hosts.c_str());
  if (!settings_.trust_anchors.empty() && ub_ctx_add_ta_file(context.get(), settings_.trust_anchors.c_str()) != 0) {
    throw std::runtime_error("Cannot read the trust anchors of DNSSEC from " + settings_.trust_anchors + ".");
  }
  return context;
}

std::string UnboundResolver::stamp() const {
  struct stat facts{};
  if (::stat(settings_.resolv_conf.c_str(), &facts) != 0) return {};
  return std::to_string(facts.st_ino) + " " + std::to_string(facts.st_size) + " " +
         std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec);
}

void UnboundResolver::ask(std::string name, RecordType type, Then then) {
  if (questions_.fetch_add(1) >= settings_.most_questions) {
    --questions_;
    settings_.on_full();
    return then({});
  }
  auto question = std::make_unique<Question>(Question{this, std::move(name), type, std::move(then)});
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) asked_.push_back(std::move(question));
  }
  if (question == nullptr) {
    eventfd_write(wake_, 1);
  } else {
    --questions_;
    question->then({});
  }
}

void UnboundResolver::run() {
  while (true) {
    pollfd watched[] = {{.fd = wake_, .events = POLLIN, .revents = 0},
                        {.fd = ub_fd(context_.get()), .events = POLLIN, .revents = 0}};
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) break;
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
    std::vector<std::unique_ptr<Question>> asked;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      asked = std::exchange(asked_, {});
    }
    if (!asked.empty() && stamp() != stamp_) take_new_servers();
    for (auto& question : asked) begin(std::move(question));
    if ((watched[1].revents & POLLIN) != 0) ub_process(context_.get());
  }
  context_.reset();
  while (!open_.empty()) answer(open_.begin()->first, {});
  std::vector<std::unique_ptr<Question>> left;
  {
    const std::lock_guard lock(mutex_);
    left = std::exchange(asked_, {});
  }
  for (auto& question : left) question->then({});
}

void UnboundResolver::take_new_servers() {
  stamp_ = stamp();
  Context next;
  try {
    next = make_context();
  } catch (const std::runtime_error&) {
    return;  // The old servers are better than none.
  }
  context_ = std::move(next);
  while (!open_.empty()) answer(open_.begin()->first, {});
}

void UnboundResolver::begin(std::unique_ptr<Question> question) {
  Question* const key = question.get();
  open_.emplace(key, std::move(question));
  const int error = ub_resolve_async(context_.get(), key->name.c_str(), static_cast<int>(key->type), class_in, key,
                                     &answered, &key->id);
  if (error != UB_NOERROR) answer(key, {});
}

void UnboundResolver::answered(void* question, int error, ub_result* result) {
  auto* const its = static_cast<Question*>(question);
  const std::unique_ptr<ub_result, decltype(&ub_resolve_free)> owner(result, &ub_resolve_free);
  DnsAnswer answer;
  constexpr int no_error = 0;
  constexpr int no_such_name = 3;
  if (error == UB_SYNTAX) {
    // A name that is none: there can be no records of it.
    answer.verdict = DnsAnswer::Verdict::insecure;
  } else if (error == UB_NOERROR && result != nullptr) {
    if (result->bogus != 0) {
      answer.verdict = DnsAnswer::Verdict::bogus;
    } else if (result->rcode == no_error || result->rcode == no_such_name) {
      answer.verdict = result->secure != 0 ? DnsAnswer::Verdict::secure : DnsAnswer::Verdict::insecure;
      for (int i = 0; result->havedata != 0 && result->data[i] != nullptr; ++i) {
        answer.records.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
      }
    }
  }
  its->resolver->answer(its, std::move(answer));
}

void UnboundResolver::answer(Question* question, DnsAnswer answer) {
  const auto found = open_.find(question);
  if (found == open_.end()) return;
  const std::unique_ptr<Question> its = std::move(found->second);
  open_.erase(found);
  --questions_;
  its->then(std::move(answer));
}

}  // namespace kith::net
