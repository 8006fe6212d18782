# How every room is compiled. A preset (CMakePresets.json) sets KITH_SANITIZE and the build type.
set(KITH_SANITIZE "" CACHE STRING "Sanitizers: 'address', 'thread' or nothing")
option(KITH_FUZZ "Build the libFuzzer targets (clang only)" OFF)

add_library(kith_options INTERFACE)
target_include_directories(kith_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_options(kith_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wnull-dereference -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough -Werror
  -fstack-protector-strong -fPIE -g1)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(kith_options INTERFACE -Wthread-safety -Wunreachable-code-aggressive)
endif()
target_link_options(kith_options INTERFACE -Wl,-z,relro,-z,now -pie)
target_compile_definitions(kith_options INTERFACE _GLIBCXX_ASSERTIONS)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(KITH_LLD NAMES ld.lld-19 ld.lld)
  if(KITH_LLD)
    target_link_options(kith_options INTERFACE -fuse-ld=${KITH_LLD})
  endif()
endif()

if(KITH_SANITIZE STREQUAL "address")
  target_compile_options(kith_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kith_options INTERFACE -fsanitize=address,undefined)
elseif(KITH_SANITIZE STREQUAL "thread")
  target_compile_options(kith_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(kith_options INTERFACE -fsanitize=thread)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(kith_options INTERFACE -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection
    -ftrivial-auto-var-init=zero)
  # What is linked is what is used: code that nobody calls stays out of the file, and so out of memory.
  target_compile_options(kith_options INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(kith_options INTERFACE -Wl,--gc-sections -Wl,--as-needed)
  # Thin link-time optimisation; CMake names the archiver that understands its object files.
  include(CheckIPOSupported)
  check_ipo_supported(RESULT kith_has_lto OUTPUT kith_lto_refusal LANGUAGES CXX)
  if(kith_has_lto)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  endif()
  # Each kind of processor has a way of its own to keep jumps where they belong, and compilers refuse the other's.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i.86")
    target_compile_options(kith_options INTERFACE -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_compile_options(kith_options INTERFACE -mbranch-protection=standard)
  endif()
endif()
if(KITH_FUZZ)
  target_compile_options(kith_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(KITH_CCACHE ccache)
if(KITH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KITH_CCACHE})
endif()
