// Asks DNS, by libunbound: the records of a name, and whether DNSSEC vouches for the answer. One thread of its own, on
// which all of libunbound is spoken to and on which answers are given. It asks the servers of /etc/resolv.conf, which
// it reads again when that file changes, or the world's own if there are none there.
//
// SECURITY: what answers must be parsed is libunbound's, which is made for hostile ones. With a trust anchor, an answer
// that DNSSEC says is forged is `bogus` and never believed; without one, none is `secure`.
//
// Limits: most_questions at once; more are not asked.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct ub_ctx;
struct ub_result;

namespace kith::net {

struct DnsAnswer {
  enum class Verdict : std::uint8_t {
    none,      ///< DNS can't tell now
    bogus,     ///< it is forged, or its zone is broken
    insecure,  ///< nobody vouches for it
    secure
  };
  Verdict verdict = Verdict::none;
  /// As on the wire, names in them uncompressed. Empty: there are no such records.
  std::vector<std::string> records{};

  bool told() const { return verdict == Verdict::insecure || verdict == Verdict::secure; }
};

enum class RecordType : std::uint16_t { a = 1, aaaa = 28, srv = 33, tlsa = 52 };

/// Whoever answers questions about names. Any thread asks; `then` is called once, on whichever thread the answer comes.
class Resolver {
 public:
  using Then = std::move_only_function<void(DnsAnswer)>;
  virtual ~Resolver() = default;
  virtual void ask(std::string name, RecordType type, Then then) = 0;
};

struct ResolverSettings {
  std::string trust_anchors{};  ///< a file with DS or DNSKEY records; empty: nothing is vouched for
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
  std::size_t most_questions = 2000;
  std::function<void()> on_full = [] {};  ///< a question was not asked; any thread
};

class UnboundResolver final : public Resolver {
 public:
  /// Throws std::runtime_error, with a sentence, if the trust anchors cannot be read.
  explicit UnboundResolver(ResolverSettings settings);
  /// Whoever still waits is answered with nothing.
  ~UnboundResolver() override;
  UnboundResolver(const UnboundResolver&) = delete;
  UnboundResolver& operator=(const UnboundResolver&) = delete;

  void ask(std::string name, RecordType type, Then then) override;

 private:
  struct Free {
    void operator()(ub_ctx* context) const;
  };
  using Context = std::unique_ptr<ub_ctx, Free>;
  struct Question {
    UnboundResolver* resolver;
    std::string name;
    RecordType type;
    Then then;
    int id = 0;
  };
  Context make_context() const;
  void run();
  void begin(std::unique_ptr<Question> question);
  void answer(Question* question, DnsAnswer answer);
  /// Those who wait for the old servers hear nothing more of them.
  void take_new_servers();
  std::string stamp() const;
  static void answered(void* question, int error, ub_result* result);

  const ResolverSettings settings_;
  Context context_;
  std::string stamp_;  ///< of resolv.conf when it was read
  std::map<Question*, std::unique_ptr<Question>> open_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Question>> asked_;  ///< guarded by mutex_
  bool stopping_ = false;                         ///< guarded by mutex_
  std::atomic<std::size_t> questions_ = 0;        ///< open and asked
  int wake_ = -1;                                 ///< an eventfd
  std::thread thread_;
};

}  // namespace kith::net
