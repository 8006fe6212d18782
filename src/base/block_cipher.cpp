#include "base/block_cipher.h"

#include <stdexcept>

#include <openssl/evp.h>

namespace kith {

namespace {

struct Freed {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, Freed>;

[[noreturn]] void unusable() { throw std::runtime_error("OpenSSL cannot use AES-128"); }

Context context_for(const Secret& key, int encrypting) {
  Context context(EVP_CIPHER_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.reveal().data());
  if (context == nullptr || key.reveal().size() != std::tuple_size_v<BlockCipher::Block> ||
      EVP_CipherInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, bytes, nullptr, encrypting) != 1 ||
      EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1)
    unusable();
  return context;
}

BlockCipher::Block one_block(EVP_CIPHER_CTX* context, const BlockCipher::Block& in) {
  BlockCipher::Block out{};
  int written = 0;
  if (EVP_CipherUpdate(context, out.data(), &written, in.data(), static_cast<int>(in.size())) != 1 ||
      written != static_cast<int>(out.size()))
    unusable();
  return out;
}

}  // namespace

struct BlockCipher::Contexts {
  Context encrypting;
  Context decrypting;
};

BlockCipher::BlockCipher(const Secret& key)
    : contexts_(std::make_unique<Contexts>(Contexts{context_for(key, 1), context_for(key, 0)})) {}
BlockCipher::BlockCipher(BlockCipher&&) noexcept = default;
BlockCipher& BlockCipher::operator=(BlockCipher&&) noexcept = default;
BlockCipher::~BlockCipher() = default;

BlockCipher::Block BlockCipher::encrypt(const Block& clear) const {
  return one_block(contexts_->encrypting.get(), clear);
}
BlockCipher::Block BlockCipher::decrypt(const Block& hidden) const {
  return one_block(contexts_->decrypting.get(), hidden);
}

}  // namespace kith
