// kithd, the daemon: reads the configuration, starts the server, runs until it is told to stop.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/version.h"
#include "modules/all.h"
#include "net/record_buffers.h"
#include "server/config.h"
#include "server/reference.h"
#include "server/server.h"

namespace {

int complain(const std::string& sentence) {
  std::fprintf(stderr, "kithd: %s\n", sentence.c_str());
  return 1;
}

int print_reference(const std::string& which) {
  const auto features = kith::modules::all();
  if (which == "configuration") std::fputs(kith::server::configuration_reference(features).c_str(), stdout);
  if (which == "xeps") std::fputs(kith::server::specifications_reference(features).c_str(), stdout);
  if (which == "doap") std::fputs(kith::server::doap(features).c_str(), stdout);
  return 0;
}

int run(const std::string& file, bool check_only) {
  const char* state = std::getenv("STATE_DIRECTORY");  // systemd's StateDirectory=
  auto config = kith::server::load_config(
      file, kith::modules::all(),
      {.data_directory = state == nullptr ? std::filesystem::path() : std::filesystem::path(state)});
  if (!config) {
    for (const kith::server::ConfigError& error : config.error()) std::fprintf(stderr, "%s\n", error.text().c_str());
    return 1;
  }
  if (check_only) {
    std::printf("%s is in order.\n", file.c_str());
    return 0;
  }
  const kith::SystemClock clock;
  kith::Events events(clock, config->log_level, kith::log_to_stderr());
  auto server = kith::server::Server::start(std::move(*config), kith::modules::all(), clock, events);
  if (!server) return complain(server.error());
  return (*server)->run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"kithd, a messaging server for the people you know (XMPP)"};
  std::string file = "/etc/kith/kith.toml";
  std::string reference;
  bool check_only = false;
  app.add_option("--config", file, "the configuration; one line is enough: domain = \"example.org\"")
      ->capture_default_str();
  app.add_flag("--check", check_only, "read the configuration, say what is wrong with it, and end");
  app.add_option("--print-reference", reference, "print a generated document and end")
      ->check(CLI::IsMember({"configuration", "xeps", "doap"}));
  app.set_version_flag("--version", "kithd " + std::string(kith::version));
  app.footer("Signals: TERM ends every stream and stops, HUP reads the configuration and the certificates again.");
  CLI11_PARSE(app, argc, argv);

  kith::net::keep_record_buffers();

  // SECURITY: files that are made are for this user only; no core dump ever holds keys; a vanished peer is an error, no
  // signal.
  umask(0077);
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // So is a file that may not grow any more: a write that fails, not the end of the daemon.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (!reference.empty()) return print_reference(reference);
  try {
    return run(file, check_only);
  } catch (const std::exception& fault) {
    return complain(std::string("could not go on: ") + fault.what());
  }
}
