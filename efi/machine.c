/* SPDX-License-Identifier: MIT */
#include "machine.h"
#include <efidevp.h>
#include <string.h>

bool machine_console_is_serial(const void *path, size_t size)
{
    const unsigned char *bytes = path;
    EFI_DEVICE_PATH_PROTOCOL node;
    for (size_t at = 0; at < size && size - at >= sizeof node;) {
        memcpy(&node, bytes + at, sizeof node);
        const size_t length = (size_t)node.Length[0] | (size_t)node.Length[1] << 8;
        if (length < sizeof node || length > size - at)
            return false;
        if (node.Type == MESSAGING_DEVICE_PATH && node.SubType == MSG_UART_DP)
            return true;
        at += length;
    }
    return false;
}

void machine_missing_features(struct machine_features features, char *names, size_t size)
{
    /* Intel SDM volume 2, CPUID.  Long mode itself is what the loader is running in. */
    static const struct {
        bool extended;
        unsigned bit;
        const char *name;
    } needed[] = {
        {false, 4, "TSC"},   {false, 5, "MSR"},   {false, 9, "APIC"},    {false, 16, "PAT"},
        {false, 24, "FXSR"}, {false, 26, "SSE2"}, {true, 11, "SYSCALL"}, {true, 20, "NX"},
    };
    size_t length = 0;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const uint32_t have = needed[i].extended ? features.extended : features.standard;
        if ((have >> needed[i].bit & 1) != 0)
            continue;
        for (const char *c = length == 0 ? "" : ", "; *c != '\0' && length + 1 < size; c++)
            names[length++] = *c;
        for (const char *c = needed[i].name; *c != '\0' && length + 1 < size; c++)
            names[length++] = *c;
    }
    names[length] = '\0';
}

static bool sums_to_zero(const unsigned char *bytes, size_t size)
{
    unsigned char sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + bytes[i]);
    return sum == 0;
}

bool machine_rsdp_valid(const void *rsdp, bool extended)
{
    enum { SIZE = 20, EXTENDED_SIZE = 36 }; /* ACPI 6.5, section 5.2.5.3 */
    return memcmp(rsdp, "RSD PTR ", 8) == 0 && sums_to_zero(rsdp, SIZE) &&
           (!extended || sums_to_zero(rsdp, EXTENDED_SIZE));
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

uint64_t machine_unix_seconds(const EFI_TIME *time)
{
    enum { FIRST_YEAR = 1970, LAST_YEAR = 9999, ZONE_UNSPECIFIED = 2047, ZONE_MAX = 1440 };
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->Year < FIRST_YEAR || time->Year > LAST_YEAR || time->Month < 1 || time->Month > 12 ||
        time->Hour > 23 || time->Minute > 59 || time->Second > 59)
        return 0;
    const unsigned leap_day = time->Month == 2 && is_leap(time->Year);
    if (time->Day < 1 || time->Day > month_days[time->Month - 1] + leap_day)
        return 0;

    uint64_t days = time->Day - 1u;
    for (unsigned year = FIRST_YEAR; year < time->Year; year++)
        days += is_leap(year) ? 366 : 365;
    for (unsigned month = 1; month < time->Month; month++)
        days += month_days[month - 1] + (unsigned)(month == 2 && is_leap(time->Year));
    int64_t minutes = (int64_t)(days * 24 + time->Hour) * 60 + time->Minute;
    if (time->TimeZone >= -ZONE_MAX && time->TimeZone <= ZONE_MAX)
        minutes += time->TimeZone; /* UEFI 2.10, section 8.3: local time = UTC - TimeZone */
    else if (time->TimeZone != ZONE_UNSPECIFIED)
        return 0;
    return minutes < 0 ? 0 : (uint64_t)minutes * 60 + time->Second;
}

struct limen_boot_framebuffer machine_framebuffer(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode)
{
    enum { RGBX = 0, BGRX = 1, PIXEL_BYTES = 4 };
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;
    struct limen_boot_framebuffer framebuffer = {
        .address = mode->FrameBufferBase,
        .width = info->HorizontalResolution,
        .height = info->VerticalResolution,
        .stride = info->PixelsPerScanLine,
        .format = info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor ? RGBX : BGRX,
    };
    const bool known_format = info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor ||
                              info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor;
    const uint64_t bytes = (uint64_t)framebuffer.stride * framebuffer.height * PIXEL_BYTES;
    if (!known_format || framebuffer.width == 0 || framebuffer.height == 0 ||
        framebuffer.width > framebuffer.stride || bytes > LIMEN_PHYSMAP_MAX ||
        framebuffer.address > LIMEN_PHYSMAP_MAX - bytes)
        return (struct limen_boot_framebuffer){0};
    return framebuffer;
}
