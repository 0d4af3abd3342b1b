/* SPDX-License-Identifier: MIT */
/* The texts of others: fw_cfg's directory, load options, device paths, the command line. */
#include "../../efi/fw_cfg.h"
#include "../../efi/machine.h"
#include "../../efi/text.h"
#include "fuzz.h"

/* Small, so that inputs of few bytes fill them. */
enum { LINE_SIZE = 40, PIECE_SIZE = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_cfg_file file;
    char line[LINE_SIZE] = "quiet", piece[PIECE_SIZE];
    fw_cfg_find(data, size, "opt/limen/boot.cpio", &file);
    machine_console_is_serial(data, size);
    const size_t length = text_from_load_options(data, size, piece, sizeof piece);
    require(length <= sizeof piece);
    require(text_append_words(line, sizeof line, piece, length));
    text_append_words(line, sizeof line, (const char *)data, size);
    require(memchr(line, '\0', sizeof line) != NULL);
    for (const char *c = line; *c != '\0'; c++)
        require((unsigned char)*c >= ' ' && *c != 0x7f);
    return 0;
}
