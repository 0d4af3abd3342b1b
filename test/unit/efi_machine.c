/* SPDX-License-Identifier: MIT */
#include "../../efi/fw_cfg.h"
#include "../../efi/machine.h"
#include "../../efi/text.h"
#include "efi_cmocka.h"
#include <stdlib.h>
#include <string.h>
#include <uchar.h>

/* -- text -- */

static size_t format(char *buffer, size_t size, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    const size_t length = text_format(buffer, size, text, arguments);
    va_end(arguments);
    return length;
}

static void formats(void **state)
{
    (void)state;
    char text[64];
    format(text, sizeof text, "%s is %u%% of %llu at 0x%llx", "this", 42u, 18446744073709551615ull,
           0xfedcba9876543210ull);
    assert_string_equal(text, "this is 42% of 18446744073709551615 at 0xfedcba9876543210");
    assert_int_equal(format(text, sizeof text, "%u", 0u), 1);
    assert_string_equal(text, "0");
    assert_int_equal(format(text, 5, "%s", "abcdefgh"), 4);
    assert_string_equal(text, "abcd");
}

static bool append(char *line, size_t size, const char *piece)
{
    return text_append_words(line, size, piece, strlen(piece));
}

static void command_line(void **state)
{
    (void)state;
    char line[16] = "";
    assert_true(append(line, sizeof line, " \r\n"));
    assert_string_equal(line, "");
    assert_true(append(line, sizeof line, "  a=1\tb\r\n"));
    assert_string_equal(line, "a=1 b");
    assert_true(append(line, sizeof line, ""));
    assert_string_equal(line, "a=1 b");
    assert_false(append(line, sizeof line, "0123456789"));
    assert_string_equal(line, "a=1 b");
    assert_true(append(line, sizeof line, "012345678\n"));
    assert_string_equal(line, "a=1 b 012345678");
    assert_false(append(line, sizeof line, "c"));
    char empty[4] = "";
    assert_false(append(empty, sizeof empty, "abcd"));
    assert_true(append(empty, sizeof empty, "abc"));
    assert_string_equal(empty, "abc");
    char bytes[8] = "";
    assert_true(text_append_words(bytes, sizeof bytes, "a\0b\xc3\xa9\x7f", 6));
    assert_string_equal(bytes, "a b\xc3\xa9");
}

static void load_options(void **state)
{
    (void)state;
    static const struct {
        const char16_t *options;
        size_t size;
        const char *piece;
    } cases[] = {
        {u"quiet", sizeof u"quiet", "quiet"},
        {u"quiet", 10, "quiet"},
        {u"quiet", 9, ""},
        {u"", 0, ""},
        {u"a\0junk", sizeof u"a\0junk", "a"},
        {u"BOOTX64.EFI cmd=ps", sizeof u"BOOTX64.EFI cmd=ps", " cmd=ps"},
        {u"\"fs0:\\x y.efi\" b", sizeof u"\"fs0:\\x y.efi\" b", "\"fs0:\\x y.efi\" b"},
        {u"\"x.Efi\" b", sizeof u"\"x.Efi\" b", " b"},
        {u"x.efi", sizeof u"x.efi", ""},
        {u".efi", sizeof u".efi", ""},
        {u"efi b", sizeof u"efi b", "efi b"},
        {u"x.efi2 b", sizeof u"x.efi2 b", "x.efi2 b"},
        {u"caf\u00e9", sizeof u"caf\u00e9", ""},
        {u"a\tb", sizeof u"a\tb", ""},
        {u"\u0161a", sizeof u"\u0161a", ""},
        {u"0123456789012345678901234", sizeof u"0123456789012345678901234", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char piece[24] = {0};
        const size_t length =
            text_from_load_options(cases[i].options, cases[i].size, piece, sizeof piece);
        assert_int_equal(length, strlen(cases[i].piece));
        assert_memory_equal(piece, cases[i].piece, length);
    }
}

/* -- machine -- */

static void missing_features(void **state)
{
    (void)state;
    char names[80];
    const struct machine_features all = {.standard = 0x05010230, .extended = 0x00100800};
    machine_missing_features(all, names, sizeof names);
    assert_string_equal(names, "");
    struct machine_features some = all;
    some.standard &= ~(1u << 9);
    some.extended &= ~(1u << 20);
    machine_missing_features(some, names, sizeof names);
    assert_string_equal(names, "APIC, NX");
    machine_missing_features((struct machine_features){0}, names, sizeof names);
    assert_string_equal(names, "TSC, MSR, APIC, PAT, FXSR, SSE2, SYSCALL, NX");
    machine_missing_features((struct machine_features){0}, names, 9);
    assert_string_equal(names, "TSC, MSR");
    for (unsigned bit = 0; bit < 32; bit++) {
        some = all;
        some.standard &= ~(1u << bit);
        machine_missing_features(some, names, sizeof names);
        assert_int_equal(names[0] != '\0', (all.standard >> bit & 1) != 0);
        some = all;
        some.extended &= ~(1u << bit);
        machine_missing_features(some, names, sizeof names);
        assert_int_equal(names[0] != '\0', (all.extended >> bit & 1) != 0);
    }
}

static void console_paths(void **state)
{
    (void)state;
    unsigned char path[] = {2,    1,    12, 0, 0xd0, 0x41, 3, 0x0a, 0, 0, 0, 0, /* ACPI */
                            0x7f, 1,    4,  0,                                  /* end of one */
                            3,    0x0e, 19, 0, 0,    0,    0, 0,    0, 0, 0, 0,
                            0,    0,    0,  0, 8,    1,    1, /* a UART */
                            0x7f, 0xff, 4,  0};
    enum { UART = 16 };
    for (size_t size = 0; size <= sizeof path; size++) {
        unsigned char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, path, size);
        assert_int_equal(machine_console_is_serial(copy, size), size >= UART + 19);
        free(copy);
    }
    path[UART + 1] = 0x0b; /* a network card */
    assert_false(machine_console_is_serial(path, sizeof path));
    path[UART + 1] = 0x0e;
    path[2] = 0; /* a node without length leads nowhere */
    assert_false(machine_console_is_serial(path, sizeof path));
    path[2] = 200;
    assert_false(machine_console_is_serial(path, sizeof path));
}

static void root_pointers(void **state)
{
    (void)state;
    unsigned char rsdp[36] = "RSD PTR ";
    memcpy(rsdp + 9, "LIMEN ", 6);
    unsigned char sum = 0;
    for (size_t i = 0; i < 20; i++)
        sum = (unsigned char)(sum + rsdp[i]);
    rsdp[8] = (unsigned char)-sum;
    assert_true(machine_rsdp_valid(rsdp, false));
    rsdp[20] = 36;
    assert_true(machine_rsdp_valid(rsdp, false));
    assert_false(machine_rsdp_valid(rsdp, true));
    rsdp[32] = (unsigned char)-36;
    assert_true(machine_rsdp_valid(rsdp, true));
    rsdp[10] ^= 1;
    rsdp[33] = (unsigned char)(rsdp[10] & 1 ? -1 : 1);
    assert_false(machine_rsdp_valid(rsdp, false));
    rsdp[10] ^= 1;
    rsdp[33] = 0;
    rsdp[0] ^= 1, rsdp[9] ^= 1;
    assert_false(machine_rsdp_valid(rsdp, false));
}

static uint64_t seconds(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                        unsigned second, int zone)
{
    const EFI_TIME time = {
        .Year = (UINT16)year,
        .Month = (UINT8)month,
        .Day = (UINT8)day,
        .Hour = (UINT8)hour,
        .Minute = (UINT8)minute,
        .Second = (UINT8)second,
        .TimeZone = (INT16)zone,
    };
    return machine_unix_seconds(&time);
}

static void the_clock(void **state)
{
    (void)state;
    assert_int_equal(seconds(1970, 1, 1, 0, 0, 1, 0), 1);
    assert_int_equal(seconds(2000, 2, 29, 12, 0, 0, 2047), 951825600);
    assert_int_equal(seconds(2026, 11, 21, 22, 30, 15, 0), 1795300215);
    assert_int_equal(seconds(2026, 11, 21, 22, 30, 15, -60), 1795300215 - 3600);
    assert_int_equal(seconds(2026, 11, 21, 22, 30, 15, 1440), 1795300215 + 86400);
    assert_int_equal(seconds(2026, 11, 21, 22, 30, 15, -1440), 1795300215 - 86400);
    assert_int_equal(seconds(2026, 1, 1, 0, 0, 0, -1441), 0);
    assert_int_equal(seconds(2026, 11, 21, 23, 59, 59, 0), 1795305599);
    assert_int_equal(seconds(2024, 3, 1, 0, 0, 0, 0), 1709251200);
    assert_int_equal(seconds(2100, 3, 1, 0, 0, 0, 0), 4107542400);
    assert_int_equal(seconds(1969, 12, 31, 0, 0, 0, 0), 0);
    assert_int_equal(seconds(1970, 1, 1, 0, 0, 0, -60), 0);
    assert_int_equal(seconds(2026, 13, 1, 0, 0, 0, 0), 0);
    assert_int_equal(seconds(2026, 0, 1, 0, 0, 0, 0), 0);
    assert_int_equal(seconds(2026, 2, 29, 0, 0, 0, 0), 0);
    assert_int_equal(seconds(2026, 1, 0, 0, 0, 0, 0), 0);
    assert_int_equal(seconds(2026, 1, 1, 24, 0, 0, 0), 0);
    assert_int_equal(seconds(2026, 1, 1, 0, 60, 0, 0), 0);
    assert_int_equal(seconds(2026, 1, 1, 0, 0, 60, 0), 0);
    assert_int_equal(seconds(2026, 1, 1, 0, 0, 0, 1441), 0);
    assert_int_equal(seconds(10000, 1, 1, 0, 0, 0, 0), 0);
}

static void framebuffers(void **state)
{
    (void)state;
    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info = {
        .HorizontalResolution = 800,
        .VerticalResolution = 600,
        .PixelFormat = PixelBlueGreenRedReserved8BitPerColor,
        .PixelsPerScanLine = 1024,
    };
    EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode = {.Info = &info, .FrameBufferBase = 0x80000000};
    const struct limen_boot_framebuffer found = machine_framebuffer(&mode);
    assert_int_equal(found.address, 0x80000000);
    assert_int_equal(found.width, 800);
    assert_int_equal(found.height, 600);
    assert_int_equal(found.stride, 1024);
    assert_int_equal(found.format, 1);
    info.PixelFormat = PixelRedGreenBlueReserved8BitPerColor;
    assert_int_equal(machine_framebuffer(&mode).format, 0);
    assert_int_equal(machine_framebuffer(&mode).address, 0x80000000);
    info.PixelFormat = PixelBitMask;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    info.PixelFormat = PixelBltOnly;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    info.PixelFormat = PixelBlueGreenRedReserved8BitPerColor;
    info.PixelsPerScanLine = 799;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    info.PixelsPerScanLine = 800;
    mode.FrameBufferBase = LIMEN_PHYSMAP_MAX - 800 * 600 * 4;
    assert_int_equal(machine_framebuffer(&mode).address, mode.FrameBufferBase);
    mode.FrameBufferBase += 4096;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    mode.FrameBufferBase = UINT64_MAX;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    mode.FrameBufferBase = 0x80000000;
    info.VerticalResolution = 0;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
    info.VerticalResolution = UINT32_MAX;
    info.PixelsPerScanLine = UINT32_MAX;
    assert_int_equal(machine_framebuffer(&mode).address, 0);
}

/* -- fw_cfg -- */

static void fw_cfg_directory(void **state)
{
    (void)state;
    unsigned char directory[4 + 3 * 64] = {0, 0, 0, 3, 0, 0, 0, 9, 0, 0x20};
    memset(directory + 4 + 64, 'x', 64); /* a name without end */
    memcpy(directory + 4 + 128, "\x01\x02\x03\x04\x05\x06", 6);
    strcpy((char *)directory + 4 + 8, "opt/limen/a");
    strcpy((char *)directory + 4 + 128 + 8, "opt/limen/boot.cpio");
    struct fw_cfg_file file = {0};
    assert_true(fw_cfg_find(directory, sizeof directory, "opt/limen/a", &file));
    assert_int_equal(file.size, 9);
    assert_int_equal(file.selector, 0x20);
    assert_true(fw_cfg_find(directory, sizeof directory, "opt/limen/boot.cpio", &file));
    assert_int_equal(file.size, 0x01020304);
    assert_int_equal(file.selector, 0x0506);
    assert_false(fw_cfg_find(directory, sizeof directory, "opt/limen/boot", &file));
    assert_false(fw_cfg_find(directory, sizeof directory, "opt/limen/boot.cpio2", &file));
    directory[3] = 2;
    assert_false(fw_cfg_find(directory, sizeof directory, "opt/limen/boot.cpio", &file));
    directory[0] = 0xff; /* more than there is room for */
    for (size_t size = 0; size <= sizeof directory; size++) {
        unsigned char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, directory, size);
        assert_int_equal(fw_cfg_find(copy, size, "opt/limen/boot.cpio", &file),
                         size == sizeof directory);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),          cmocka_unit_test(command_line),
        cmocka_unit_test(load_options),     cmocka_unit_test(missing_features),
        cmocka_unit_test(console_paths),    cmocka_unit_test(root_pointers),
        cmocka_unit_test(the_clock),        cmocka_unit_test(framebuffers),
        cmocka_unit_test(fw_cfg_directory),
    };
    return cmocka_run_group_tests_name("efi machine", tests, NULL, NULL);
}
