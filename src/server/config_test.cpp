#include "server/config.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "modules/all.h"
#include "server/nearest.h"
#include "server/settings.h"
#include "server/units.h"

namespace kith::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::optional<std::string> check_shade(const std::string& text) {
  return text == "pink" ? std::optional<std::string>("is no shade for a lamp") : std::nullopt;
}

constexpr module::Descriptor lamp_descriptor{
    .name = "lamp",
    .summary = "Gives light.",
    .settings = {
        {.key = "bright", .type = module::Setting::Type::boolean, .fallback = "true", .help = "Whether."},
        {.key = "hours",
         .type = module::Setting::Type::integer,
         .unit = "hours",
         .fallback = "12",
         .least = 1,
         .most = 48,
         .help = "How long."},
        {.key = "oil",
         .type = module::Setting::Type::integer,
         .unit = "bytes",
         .fallback = "1024",
         .least = 0,
         .most = 1'048'576,
         .help = "How much."},
        {.key = "colour", .type = module::Setting::Type::text, .fallback = "\"white\"", .help = "Which."},
        {.key = "rooms",
         .type = module::Setting::Type::text_list,
         .fallback = "[\"hall\", \"attic\"]",
         .help = "Where."},
        {.key = "shades",
         .type = module::Setting::Type::text_list,
         .fallback = "[]",
         .help = "Around it.",
         .check = &check_shade},
        {.key = "key", .type = module::Setting::Type::secret_file, .fallback = "\"\"", .help = "Who may light it."}}};
constexpr module::Descriptor bell_descriptor{.name = "bell", .summary = "Rings.", .on_by_default = false};
const std::vector<module::Registration> features{{&lamp_descriptor, nullptr}, {&bell_descriptor, nullptr}};

std::expected<Config, std::vector<ConfigError>> parse(std::string text) {
  return parse_config({{"/etc/kith/kith.toml", std::move(text)}}, features);
}

/// A good configuration with these lines added, or a failed test.
Config good(const std::string& lines) {
  auto parsed = parse("domain = \"example.org\"\n" + lines);
  if (parsed) return *std::move(parsed);
  for (const ConfigError& error : parsed.error()) ADD_FAILURE() << error.text();
  return {};
}

/// What is said about these lines after a good first one.
std::vector<std::string> errors_of(const std::string& lines) {
  const auto parsed = parse("domain = \"example.org\"\n" + lines);
  std::vector<std::string> texts;
  if (!parsed) {
    for (const ConfigError& error : parsed.error()) texts.push_back(error.text());
  }
  return texts;
}

TEST(Config, one_line_is_enough) {
  const Config config = good("");
  EXPECT_THAT(config.domains, ElementsAre("example.org"));
  EXPECT_EQ(config.data_directory, "/etc/kith/data");
  EXPECT_EQ(config.admin_socket, "/etc/kith/data/kith.sock");
  EXPECT_EQ(config.storage.file, "/etc/kith/data/kith.db");
  EXPECT_THAT(config.certificates.directories, ElementsAre("/etc/kith/data/certs"));
  EXPECT_EQ(config.listen.c2s.size(), 2U);
  EXPECT_EQ(config.listen.c2s[0].text(), "0.0.0.0:5222");
  EXPECT_EQ(config.listen.c2s[1].text(), "[::]:5222");
  EXPECT_THAT(config.listen.c2s_plaintext, IsEmpty());
  EXPECT_EQ(config.log_level, LogLevel::info);
  EXPECT_TRUE(config.enabled("lamp"));
  EXPECT_FALSE(config.enabled("bell"));
}

TEST(Config, onion_services_are_called_by_a_proxy) {
  EXPECT_FALSE(good("").federation.socks5_proxy);
  const Config config =
      good("[federation]\nsocks5_proxy = \"127.0.0.1:9050\"\nhosts = [\"example.net=Abc.onion:5270\"]");
  EXPECT_EQ(config.federation.socks5_proxy->text(), "127.0.0.1:9050");
  ASSERT_TRUE(config.federation.hosts.contains("example.net"));
  const Endpoint& place = config.federation.hosts.at("example.net").front();
  EXPECT_TRUE(place.is_onion());
  EXPECT_EQ(place.text(), "abc.onion:5270");
  for (const char* bad : {"example.net=abc.onion", "example.net=abc.onion:0", "example.net=abc.org:5269",
                          "example.net=.onion:5269", "example.net=abc.onion:x"}) {
    EXPECT_THAT(errors_of(std::string("[federation]\nhosts = [\"") + bad + "\"]"), testing::SizeIs(1)) << bad;
  }
  for (const char* bad : {"localhost:9050", "127.0.0.1", "127.0.0.1:0"}) {
    EXPECT_THAT(errors_of(std::string("[federation]\nsocks5_proxy = \"") + bad + "\""), testing::SizeIs(1)) << bad;
  }
}

TEST(Config, a_feature_has_its_say_about_its_texts) {
  EXPECT_EQ(good("[modules.lamp]\nshades = [\"blue\", \"green\"]").settings_of("lamp").texts("shades").size(), 2U);
  EXPECT_THAT(errors_of("[modules.lamp]\nshades = [\"blue\", \"pink\"]"),
              ElementsAre("/etc/kith/kith.toml:3: modules.lamp.shades: \"pink\" is no shade for a lamp"));
}

TEST(Config, a_feature_gets_the_first_line_of_its_file_with_a_secret) {
  const auto folder = std::filesystem::temp_directory_path() / ("kith-config-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "key") << "hush\r\nnot the secret\n";
  std::ofstream(folder / "empty") << "\nhush\n";
  const auto with = [&](const std::string& file) {
    return parse_config({{folder / "kith.toml", "domain = \"example.org\"\n[modules.lamp]\nkey = \"" + file + "\""}},
                        features);
  };
  const auto read = with("key");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->settings_of("lamp").secret("key").reveal(), "hush");
  // Relative to the file; and read each time, since a reload may be for its sake.
  std::ofstream(folder / "key") << "changed";
  EXPECT_EQ(read->settings_of("lamp").secret("key").reveal(), "changed");
  EXPECT_TRUE(good("").settings_of("lamp").secret("key").empty());
  for (const char* bad : {"lost", "empty"}) {
    const auto refused = with(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().front().text(), HasSubstr("modules.lamp.key: "));
    EXPECT_THAT(refused.error().front().text(), HasSubstr("cannot be read, or its first line is empty"));
  }
  EXPECT_THAT(errors_of("[modules.lamp]\nkey = \"lost\"\nenabled = false"), IsEmpty());
  EXPECT_THAT(errors_of("[modules.lamp]\nkey = 5"),
              ElementsAre("/etc/kith/kith.toml:3: modules.lamp.key: must be a text in quotation marks"));
  std::filesystem::remove_all(folder);
}

TEST(Config, the_surroundings_may_name_the_data_directory) {
  const auto config = parse_config({{"/etc/kith/kith.toml", "domain = \"example.org\""}}, features,
                                   {.data_directory = "/var/lib/kith"});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->storage.file, "/var/lib/kith/kith.db");
}

TEST(Config, domains_are_prepared) {
  EXPECT_THAT(parse("domains = [\"Example.ORG\", \"example.net\"]")->domains,
              ElementsAre("example.org", "example.net"));
}

TEST(Config, everything_else_can_be_set) {
  const Config config = good(R"(
admins = ["Alice@example.org"]
data_directory = "../lib"
shards = 3
admin_socket = "/run/kith.sock"
[listen]
c2s = ["127.0.0.1:15222"]
c2s_direct_tls = []
c2s_plaintext = "[::1]:5229"
metrics = ["127.0.0.1:5282"]
[certificates]
directories = ["tls", "/etc/letsencrypt/live"]
self_signed = false
[storage]
file = "my.db"
[log]
level = "debug"
[limits]
login_time = "1 minute"
offline_bytes = "5 MiB"
roster_items = 7
stanzas = "100/s burst 1000"
bytes_after_login = "1 MiB/s"
registrations_per_address = "1/hour burst 2"
[limits.xml_after_login]
element_bytes = "512 KiB"
[modules.lamp]
enabled = false
bright = false
hours = "2 days"
oil = "2 KiB"
colour = "red"
rooms = ["cellar"]
[modules.bell]
enabled = true
)");
  EXPECT_TRUE(config.admins.contains(*xmpp::BareJid::parse("alice@example.org")));
  EXPECT_EQ(config.data_directory, "/etc/lib");
  EXPECT_EQ(config.shards, 3U);
  EXPECT_EQ(config.admin_socket, "/run/kith.sock");
  EXPECT_THAT(config.listen.c2s_direct_tls, IsEmpty());
  EXPECT_THAT(config.listen.c2s_plaintext, ElementsAre(Endpoint{"::1", 5229}));
  EXPECT_THAT(config.certificates.directories, ElementsAre("/etc/kith/tls", "/etc/letsencrypt/live"));
  EXPECT_FALSE(config.certificates.self_signed);
  EXPECT_EQ(config.storage.file, "/etc/kith/my.db");
  EXPECT_EQ(config.log_level, LogLevel::debug);
  EXPECT_EQ(config.limits.login_time, std::chrono::seconds(60));
  EXPECT_EQ(config.limits.offline_bytes, 5U * 1024 * 1024);
  EXPECT_EQ(config.limits.roster_items, 7U);
  EXPECT_DOUBLE_EQ(config.limits.stanzas.burst, 1000);
  EXPECT_DOUBLE_EQ(config.limits.bytes_after_login.burst, 1024.0 * 1024);
  EXPECT_DOUBLE_EQ(config.limits.registrations_per_address.per_second, 1.0 / 3600);
  EXPECT_EQ(config.limits.xml_after_login.element_bytes, 512U * 1024);
  EXPECT_EQ(config.limits.xml_before_login.element_bytes, 10U * 1024);
  EXPECT_FALSE(config.enabled("lamp"));
  EXPECT_TRUE(config.enabled("bell"));
  const module::Settings lamp = config.settings_of("lamp");
  EXPECT_FALSE(lamp.boolean("bright"));
  EXPECT_EQ(lamp.integer("hours"), 48);
  EXPECT_EQ(lamp.integer("oil"), 2048);
  EXPECT_EQ(lamp.text("colour"), "red");
  EXPECT_THAT(lamp.texts("rooms"), ElementsAre("cellar"));
}

TEST(Config, what_each_setting_shows_is_read_as_the_same_again) {
  const auto config = parse_config({{"/etc/kith/kith.toml", "domain = \"example.org\"\n"}}, modules::all());
  ASSERT_TRUE(config);
  std::string written;
  std::string section;
  for (const ConfigSetting& setting : all_settings(modules::all())) {
    if (setting.name() == "domain") continue;  // "domains" says it
    if (setting.section != section) written += "[" + (section = setting.section) + "]\n";
    written += setting.key + " = " + setting.show(*config) + "\n";
  }
  const auto again = parse_config({{"/etc/kith/kith.toml", written}}, modules::all());
  ASSERT_TRUE(again) << again.error().front().text();
  EXPECT_TRUE(changes_between(*config, *again, modules::all()).empty());
}

TEST(Config, a_features_settings_are_complete_without_a_section) {
  const module::Settings lamp = good("").settings_of("lamp");
  EXPECT_TRUE(lamp.boolean("bright"));
  EXPECT_EQ(lamp.integer("hours"), 12);
  EXPECT_EQ(lamp.text("colour"), "white");
  EXPECT_THAT(lamp.texts("rooms"), ElementsAre("hall", "attic"));
}

TEST(ConfigError, names_file_line_key_and_the_nearest_key) {
  EXPECT_THAT(errors_of("[limits]\nofline_messages = 5"),
              ElementsAre("/etc/kith/kith.toml:3: limits.ofline_messages: there is no such setting; the nearest is "
                          "\"limits.offline_messages\""));
  EXPECT_THAT(errors_of("admin = []"),
              ElementsAre(HasSubstr(":2: admin: there is no such setting; the nearest is \"admins\"")));
  EXPECT_THAT(errors_of("[modules.lmap]"),
              ElementsAre(HasSubstr(":2: modules.lmap: there is no such section; the nearest is \"modules.lamp\"")));
  EXPECT_THAT(errors_of("[modules.lamp]\nbrigth = true"),
              ElementsAre(HasSubstr("the nearest is \"modules.lamp.bright\"")));
}

TEST(ConfigError, a_setting_in_the_wrong_section_is_sent_to_the_right_one) {
  EXPECT_THAT(errors_of("level = \"debug\""), ElementsAre(HasSubstr("the nearest is \"log.level\"")));
  EXPECT_THAT(errors_of("[listen]\nroster_items = 5"),
              ElementsAre(HasSubstr("the nearest is \"limits.roster_items\"")));
}

TEST(ConfigError, all_are_found_in_the_order_of_their_lines) {
  EXPECT_THAT(
      errors_of("shards = \"many\"\n[limits]\nroster_items = -1\nlogin_time = \"soon\"\n[log]\nlevel = 3"),
      ElementsAre(HasSubstr(":2: shards: must be a whole number"), HasSubstr(":4: limits.roster_items: must be"),
                  HasSubstr(":5: limits.login_time: must be a duration"), HasSubstr(":7: log.level: must be")));
}

TEST(ConfigError, what_is_no_toml_names_the_line) {
  const auto errors = errors_of("shards = \n");
  ASSERT_EQ(errors.size(), 2U) << "the file was not read, so the domain is missing, too";
  EXPECT_THAT(errors[1], HasSubstr("/etc/kith/kith.toml:2: "));
}

// Found by fuzzing: an assertion of the TOML library ended the process.
TEST(ConfigError, an_address_without_its_key_is_an_error_and_no_crash) {
  const auto errors = errors_of("[::1]:5222");
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_THAT(errors[1], HasSubstr("kith.toml:2: "));
}

// Found by fuzzing: undefined behaviour in the TOML library.
TEST(ConfigError, letters_beyond_ascii_stand_in_double_quotation_marks_and_comments_only) {
  EXPECT_THAT(errors_of("# Größe\n\n\u00DF = 1"), testing::Contains(HasSubstr(":4: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("shards = \u3042"), testing::Contains(HasSubstr(":2: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("admins = \"a\\\" \nß"), testing::Contains(HasSubstr(":3: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("admins = \"a\\\\\" ß"), testing::Contains(HasSubstr(":2: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("admins = [3\"ß"), testing::Not(IsEmpty()));
  EXPECT_THAT(errors_of("admins = 'ß'"), testing::Contains(HasSubstr(":2: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("shards = 1 # \xff"), testing::Contains(HasSubstr("is not UTF-8")));
  EXPECT_EQ(good("[modules.lamp]\ncolour = \"\u00FC\U0001F511\u3042\"").settings_of("lamp").text("colour"),
            "\u00FC\U0001F511\u3042");
  EXPECT_THAT(errors_of("admins = ['\\' ß"), testing::Contains(HasSubstr(":2: has a letter beyond ASCII")));
  EXPECT_THAT(errors_of("[modules.lamp]\ncolour = \"gr\u00FCn # \\\" '\" # f\u00FCr die T\u00FCr"), IsEmpty());
  EXPECT_THAT(errors_of("[modules.lamp]\ncolour = \"\"\"red\"\"\""),
              testing::Contains(HasSubstr(":3: begins a text over several lines")));
  EXPECT_EQ(good("[modules.lamp]\ncolour = ''").settings_of("lamp").text("colour"), "");
}

TEST(Config, a_byte_order_mark_is_passed_over) {
  EXPECT_TRUE(
      parse("\xEF\xBB\xBF"
            "domain = \"example.org\""));
}

TEST(ConfigError, a_key_twice_is_an_error) {
  EXPECT_THAT(errors_of("shards = 1\nshards = 2"), testing::Not(IsEmpty()));
}

TEST(ConfigError, the_domain_is_needed_and_must_be_one) {
  EXPECT_THAT(parse("").error().front().text(), HasSubstr("kith.toml: domain: is missing"));
  EXPECT_THAT(parse("domain = \"\"").error().front().text(), HasSubstr("is no domain name"));
  EXPECT_THAT(parse("domain = \"a b\"").error().front().text(), HasSubstr("is no domain name"));
  EXPECT_THAT(parse("domain = 5").error().front().text(), HasSubstr("must be a domain name"));
  EXPECT_THAT(parse("domains = []").error().front().text(), HasSubstr("at least one domain"));
  EXPECT_THAT(parse("domains = [\"a.org\", \"A.org\"]").error().front().text(), HasSubstr("stands here twice"));
  EXPECT_THAT(errors_of("domains = [\"example.net\"]"), ElementsAre(HasSubstr("cannot stand beside \"domain\"")));
}

TEST(ConfigError, an_administrator_is_an_account_here) {
  EXPECT_THAT(errors_of("admins = [\"alice@example.net\"]"),
              ElementsAre(HasSubstr("is no address of a domain served here")));
  EXPECT_THAT(errors_of("admins = [\"example.org\"]"), ElementsAre(HasSubstr("is no address, as in")));
  EXPECT_THAT(errors_of("admins = [\"alice@example.org/phone\"]"), ElementsAre(HasSubstr("is no address, as in")));
}

// The duty that nothing without TLS can be reached from outside.
TEST(ConfigError, a_listener_without_tls_stands_on_loopback_only) {
  for (const std::string address : {"0.0.0.0:5222", "[::]:5222", "192.0.2.1:5222", "[::ffff:127.0.0.1]:5222"}) {
    EXPECT_THAT(errors_of("[listen]\nc2s_plaintext = [\"" + address + "\"]"),
                ElementsAre(HasSubstr("can be reached from outside")));
    EXPECT_THAT(errors_of("[listen]\nmetrics = [\"" + address + "\"]"),
                ElementsAre(HasSubstr("can be reached from outside")));
  }
  EXPECT_THAT(errors_of("[listen]\nc2s_plaintext = [\"127.0.0.1:1\", \"127.8.8.8:1\", \"[::1]:1\"]"), IsEmpty());
}

TEST(ConfigError, two_listeners_cannot_share_an_endpoint) {
  EXPECT_THAT(errors_of("[listen]\nc2s_direct_tls = [\"0.0.0.0:5222\"]"),
              ElementsAre(HasSubstr(":3: listen.c2s_direct_tls: \"0.0.0.0:5222\" is taken by another listener")));
  EXPECT_THAT(errors_of("[listen]\nc2s = [\"127.0.0.1:0\"]\nc2s_direct_tls = [\"127.0.0.1:0\"]"), IsEmpty());
}

TEST(ConfigError, a_socket_path_must_fit_the_system) {
  EXPECT_THAT(errors_of("admin_socket = \"/" + std::string(120, 'x') + "\""), ElementsAre(HasSubstr("is too long")));
}

TEST(ConfigError, values_of_another_kind_are_refused) {
  EXPECT_THAT(errors_of("shards = 1979-05-27"), ElementsAre(HasSubstr(":2: shards: cannot be that")));
  EXPECT_THAT(errors_of("admins = [1, 2]"), ElementsAre(HasSubstr("cannot be that; it is a list of texts")));
  EXPECT_THAT(errors_of("limits = 3"), ElementsAre(HasSubstr("is a section, written as [limits]")));
  EXPECT_THAT(errors_of("[shards]\nx = 1"), ElementsAre(HasSubstr(":2: shards: cannot be that")));
  EXPECT_THAT(errors_of("[certificates]\nself_signed = \"yes\""), ElementsAre(HasSubstr("must be true or false")));
  EXPECT_THAT(errors_of("[storage]\nbackend = \"dbase\""), ElementsAre(HasSubstr("must be \"sqlite\"")));
  EXPECT_THAT(errors_of("data_directory = \"\""), ElementsAre(HasSubstr("must be a path")));
  EXPECT_THAT(errors_of("[certificates]\ndirectories = []"), ElementsAre(HasSubstr("must be a list of directories")));
}

TEST(ConfigError, bounds_are_told) {
  EXPECT_THAT(errors_of("shards = 1000"), ElementsAre(HasSubstr("must be from 0 to 256")));
  EXPECT_THAT(errors_of("[limits]\nlogin_time = \"2 hours\""),
              ElementsAre(HasSubstr("must be from 1 second to 1 hour")));
  EXPECT_THAT(errors_of("[limits]\nlogin_time = -1"), ElementsAre(HasSubstr("must be from 1 second to 1 hour")));
  EXPECT_THAT(errors_of("[limits.xml_after_login]\nelement_bytes = 9999"),
              ElementsAre(HasSubstr("must be from \"10000 bytes\"")));
  EXPECT_THAT(errors_of("[modules.lamp]\nhours = 49"), ElementsAre(HasSubstr("must be from 1 to 48 hours")));
  EXPECT_THAT(errors_of("[modules.lamp]\nhours = \"90 minutes\""),
              ElementsAre(HasSubstr("must be a whole number of hours")));
  EXPECT_THAT(errors_of("[limits]\nstanzas = \"0/s\""), ElementsAre(HasSubstr("must be a rate")));
  EXPECT_THAT(errors_of("[limits]\nstanzas = \"10 KiB/s\""), ElementsAre(HasSubstr("must be a rate")));
}

TEST(Config, a_later_file_replaces_what_an_earlier_one_said) {
  const auto config =
      parse_config({{"/etc/kith/kith.toml", "domain = \"example.org\"\nshards = 1\n[log]\nlevel = \"debug\""},
                    {"/etc/kith/conf.d/a.toml", "shards = 2\ndata_directory = \"x\""}},
                   features);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->shards, 2U);
  EXPECT_EQ(config->log_level, LogLevel::debug);
  EXPECT_EQ(config->data_directory, "/etc/kith/x");
}

/// A directory of its own, gone afterwards.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "kith_config_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::filesystem::path write(const std::filesystem::path& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

TEST(LoadConfig, reads_the_file_and_then_conf_d_by_name) {
  const Directory directory;
  const auto file = directory.write("kith.toml", "domain = \"example.org\"\nshards = 1");
  directory.write("conf.d/20.toml", "shards = 20");
  directory.write("conf.d/10.toml", "shards = 10\n[log]\nlevel = \"error\"");
  directory.write("conf.d/notes.txt", "not = toml = at all");
  directory.write("conf.d/.hidden.toml", "shards = 30");
  const auto config = load_config(file, features);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->shards, 20U);
  EXPECT_EQ(config->log_level, LogLevel::error);
  EXPECT_EQ(config->data_directory, file.parent_path() / "data");
}

TEST(LoadConfig, an_error_names_the_file_that_it_stands_in) {
  const Directory directory;
  const auto file = directory.write("kith.toml", "domain = \"example.org\"");
  const auto wrong = directory.write("conf.d/10.toml", "\nshard = 1");
  const auto config = load_config(file, features);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().front().text(), testing::StartsWith(wrong.string() + ":2: shard: "));
}

TEST(LoadConfig, a_file_that_cannot_be_read_is_an_error) {
  const auto missing = load_config("/nonexistent/kith.toml", features);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().front().text(), "/nonexistent/kith.toml: cannot be read");
  EXPECT_FALSE(load_config(std::filesystem::temp_directory_path(), features));
}

TEST(Config, a_file_over_one_mebibyte_is_refused) {
  EXPECT_THAT(parse(std::string(1024UL * 1024 + 1, '#')).error().front().text(), HasSubstr("is longer than 1 MiB"));
}

TEST(Changes, name_what_a_reload_takes_over_and_what_waits) {
  const Config before = good("");
  EXPECT_THAT(changes_between(before, good(""), features), IsEmpty());
  const auto changes =
      changes_between(before, good("shards = 5\n[limits]\nroster_items = 5\n[modules.bell]\nenabled = true"), features);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].key, "shards");
  EXPECT_TRUE(changes[0].needs_restart);
  EXPECT_EQ(changes[1].key, "limits.roster_items");
  EXPECT_FALSE(changes[1].needs_restart);
  EXPECT_EQ(changes[2].key, "modules.bell.enabled");
  EXPECT_TRUE(changes[2].needs_restart);
}

TEST(Changes, limits_that_all_shards_share_wait_for_the_next_start) {
  const auto changes =
      changes_between(good(""), good("[limits]\nconnections = 5\nstanzas = \"5/s burst 5\""), features);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].key, "limits.connections");
  EXPECT_TRUE(changes[0].needs_restart);
  EXPECT_EQ(changes[1].key, "limits.stanzas");
  EXPECT_FALSE(changes[1].needs_restart);
}

TEST(Settings, every_default_reads_back_as_itself) {
  const Config defaults = default_config(modules::all());
  for (const ConfigSetting& setting : all_settings(modules::all())) {
    const std::string shown = setting.show(defaults);
    if (setting.key == "domain" || setting.key == "domains" || setting.form == "path" ||
        setting.form == "list of paths")
      continue;
    std::string text = setting.key == "domain" ? "" : "domain = \"example.org\"\n";
    if (!setting.section.empty()) text += "[" + setting.section + "]\n";
    const auto config = parse_config({{"kith.toml", text + setting.key + " = " + shown}}, modules::all());
    ASSERT_TRUE(config) << setting.name() << " = " << shown << ": " << config.error().front().text();
    EXPECT_EQ(setting.show(*config), shown) << setting.name();
  }
}

TEST(Settings, each_has_a_name_of_its_own_and_a_help_that_is_a_sentence) {
  std::set<std::string> names;
  for (const ConfigSetting& setting : all_settings(modules::all())) {
    EXPECT_TRUE(names.insert(setting.name()).second) << setting.name();
    EXPECT_TRUE(setting.help.ends_with('.')) << setting.name();
    EXPECT_FALSE(setting.fallback.empty()) << setting.name();
  }
}

// A limit that cannot be set is one that an administrator cannot raise.
TEST(Settings, every_field_of_the_limits_can_be_set) {
  std::size_t limits = 0;
  for (const ConfigSetting& setting : all_settings({})) limits += setting.section == "limits" ? 1U : 0U;
  constexpr std::size_t sizes = sizeof(Limits) - 2 * sizeof(XmlLimits);
  constexpr std::size_t rates = 16;
  EXPECT_EQ((limits - rates) * sizeof(std::size_t) + rates * sizeof(Rate), sizes)
      << "a field of base/limits.h has no line in settings.cpp (or the count of rates here is old)";
}

TEST(Units, sizes_read_and_show) {
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("1 byte"), 1U);
  EXPECT_EQ(parse_size(" 256 KiB "), 256U * 1024);
  EXPECT_EQ(parse_size("20MiB"), 20U * 1024 * 1024);
  EXPECT_EQ(parse_size("8388608 GiB"), std::uint64_t{1} << 53U);
  for (const std::string_view bad :
       {"", "KiB", "-1", "1.5 MiB", "5 MB", "5 KiB KiB", "8388609 GiB", "99999999999999999999", "5 kib", "0x10"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
  EXPECT_EQ(show_size(0), "0 bytes");
  EXPECT_EQ(show_size(1), "1 byte");
  EXPECT_EQ(show_size(1023), "1023 bytes");
  EXPECT_EQ(show_size(256 * 1024), "256 KiB");
}

TEST(Units, durations_read_and_show) {
  EXPECT_EQ(parse_duration("30s"), std::chrono::seconds(30));
  EXPECT_EQ(parse_duration("5 minutes"), std::chrono::seconds(300));
  EXPECT_EQ(parse_duration("1h 30m"), std::chrono::seconds(5400));
  EXPECT_EQ(parse_duration("1 day 1 second"), std::chrono::seconds(86'401));
  for (const std::string_view bad :
       {"", "5", "minutes", "5 fortnights", "-5 minutes", "5 minutes later", "99999999 days", "9999999999999 s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(show_duration(std::chrono::seconds(90)), "90 seconds");
  EXPECT_EQ(show_duration(std::chrono::seconds(60)), "1 minute");
  EXPECT_EQ(show_duration(std::chrono::seconds(0)), "0 seconds");
}

TEST(Units, rates_read_and_show) {
  const auto rate = parse_rate("10/minute burst 30", false);
  ASSERT_TRUE(rate);
  EXPECT_DOUBLE_EQ(rate->per_second, 10.0 / 60);
  EXPECT_DOUBLE_EQ(rate->burst, 30);
  EXPECT_EQ(show_rate(*rate, false), "10/minute burst 30");
  EXPECT_DOUBLE_EQ(parse_rate("5 / hour", false)->burst, 5);
  EXPECT_DOUBLE_EQ(parse_rate("32 KiB/s burst 64 KiB", true)->burst, 65'536);
  EXPECT_EQ(show_rate({.per_second = 32'768, .burst = 65'536}, true), "32 KiB/s burst 64 KiB");
  for (const std::string_view bad : {"", "10", "/s", "10/", "10/x", "0/s", "10/s burst", "10/s burst 0",
                                     "10/s burst 5 5", "10/s bursts 5", "32 KiB/s"}) {
    EXPECT_FALSE(parse_rate(bad, false)) << bad;
  }
}

TEST(Units, endpoints_read_and_show) {
  EXPECT_EQ(parse_endpoint("[2001:DB8:0::1]:5222")->text(), "[2001:db8::1]:5222");
  EXPECT_EQ(parse_endpoint("127.0.0.1:65535")->port, 65535);
  for (const std::string_view bad :
       {"", "5222", ":5222", "localhost:5222", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "127.0.0.1:5222x", "::1:5222", "[127.0.0.1]:5222", "[]:5222", "[::1]5222", "127.1:5222"}) {
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
  }
  EXPECT_FALSE(parse_endpoint(std::string_view("127.0.0.1\0x:5222", 16)));
}

TEST(Nearest, counts_what_a_hand_does_wrong) {
  EXPECT_EQ(edit_distance("shards", "shards"), 0U);
  EXPECT_EQ(edit_distance("shrads", "shards"), 1U);
  EXPECT_EQ(edit_distance("shard", "shards"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance(std::string(1000, 'a'), std::string(2000, 'a')), 0U);
  EXPECT_EQ(nearest("admns", {"admins", "domains"}), "admins");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace kith::server
