# Every library that Kith is built from; docs/dependencies.md says why each was chosen.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(EXPAT REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)
# Header only; one translation unit (server/config.cpp) reads it.
find_path(KITH_TOML_INCLUDE toml++/toml.h REQUIRED)
find_library(KITH_UNBOUND unbound REQUIRED)

# What each room takes from outside. Third-party headers are system headers: our warnings are for our code.
set(KITH_EXTERNAL_base fmt::fmt OpenSSL::Crypto)
set(KITH_EXTERNAL_xmpp ICU::uc ICU::i18n)
set(KITH_EXTERNAL_sasl OpenSSL::Crypto ICU::uc)
set(KITH_EXTERNAL_storage SQLite::SQLite3)
set(KITH_EXTERNAL_runtime Boost::headers Threads::Threads)
set(KITH_EXTERNAL_net Boost::headers OpenSSL::SSL OpenSSL::Crypto ${KITH_UNBOUND})
set(KITH_EXTERNAL_http Boost::headers)
set(KITH_EXTERNAL_server nlohmann_json::nlohmann_json CLI11::CLI11)
set(KITH_EXTERNAL_ctl nlohmann_json::nlohmann_json CLI11::CLI11 Boost::headers Threads::Threads)

# What the tests of a room take besides, as a second opinion.
set(KITH_TEST_EXTERNAL_xml EXPAT::EXPAT)
set(KITH_TEST_EXTERNAL_server EXPAT::EXPAT)

add_compile_definitions(BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
