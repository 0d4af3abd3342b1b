/* SPDX-License-Identifier: MIT */
#include "acpi.h"
#include "loader.h"
#include "machine.h"
#include "processor.h"
#include <cpuid.h>
#include <string.h>

#define CPUID_STANDARD 1u
#define CPUID_EXTENDED 0x80000001u

EFI_STATUS facts_check_processor(struct loader *loader)
{
    struct machine_features features = {0};
    unsigned eax, ebx, ecx, edx;
    char missing[80];
    if (__get_cpuid(CPUID_STANDARD, &eax, &ebx, &ecx, &edx))
        features.standard = edx;
    if (__get_cpuid(CPUID_EXTENDED, &eax, &ebx, &ecx, &edx))
        features.extended = edx;
    machine_missing_features(features, missing, sizeof missing);
    if (missing[0] != '\0')
        return fail(loader, EFI_UNSUPPORTED,
                    "this processor, or what the firmware enables of it, lacks %s", missing);
    if ((cr4_read() & CR4_FIVE_LEVELS) != 0) /* cannot be left in long mode */
        return fail(loader, EFI_UNSUPPORTED,
                    "the firmware uses 5-level paging; switch that (LA57) off in its settings");
    return EFI_SUCCESS;
}

static struct limen_boot_framebuffer find_framebuffer(struct loader *loader)
{
    /* A handle each: the console's own may stand for several screens and have no memory. */
    static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    struct limen_boot_framebuffer framebuffer = {0};
    UINTN count;
    EFI_HANDLE *handles;
    if (EFI_ERROR(loader->services->LocateHandleBuffer(ByProtocol, &graphics_guid, NULL, &count,
                                                       &handles)))
        return framebuffer;
    for (UINTN i = 0; i < count && framebuffer.address == 0; i++) {
        EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
        if (!EFI_ERROR(
                loader->services->HandleProtocol(handles[i], &graphics_guid, (void **)&graphics)) &&
            graphics->Mode != NULL && graphics->Mode->Info != NULL)
            framebuffer = machine_framebuffer(graphics->Mode);
    }
    loader->services->FreePool(handles);
    return framebuffer;
}

static uint64_t find_rsdp(struct loader *loader)
{
    static const EFI_GUID guids[] = {ACPI_20_TABLE_GUID, ACPI_TABLE_GUID};
    for (unsigned g = 0; g < 2; g++) {
        for (UINTN i = 0; i < loader->system->NumberOfTableEntries; i++) {
            const EFI_CONFIGURATION_TABLE *table = &loader->system->ConfigurationTable[i];
            if (memcmp(&table->VendorGuid, &guids[g], sizeof guids[g]) == 0 &&
                machine_rsdp_valid(table->VendorTable, g == 0))
                return (uintptr_t)table->VendorTable;
        }
    }
    return 0;
}

/* A stall may be held up, never cut short: the least of a few tries is nearest to the truth. */
static uint64_t stall_ticks(struct loader *loader, UINTN microseconds)
{
    enum { TRIES = 3 };
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < TRIES; i++) {
        const uint64_t start = tsc_read();
        loader->services->Stall(microseconds);
        const uint64_t ticks = tsc_read() - start;
        if (ticks < least)
            least = ticks;
    }
    return least;
}

/* Two stalls of different length, so that what a call costs by itself cancels out. */
static uint64_t measure_tsc(struct loader *loader)
{
    enum { SHORT = 1000, LONG = 5000, SECOND = 1000000 };
    const uint64_t shorter = stall_ticks(loader, SHORT);
    const uint64_t longer = stall_ticks(loader, LONG);
    return longer <= shorter ? 0 : (longer - shorter) * (SECOND / (LONG - SHORT));
}

void facts_gather(struct loader *loader, struct limen_boot *boot)
{
    EFI_TIME time;
    if (!EFI_ERROR(loader->system->RuntimeServices->GetTime(&time, NULL)))
        boot->wall_seconds = machine_unix_seconds(&time);
    boot->framebuffer = find_framebuffer(loader);
    if (boot->framebuffer.address != 0)
        reserve_device(loader, boot->framebuffer.address,
                       (uint64_t)boot->framebuffer.stride * boot->framebuffer.height *
                           sizeof(uint32_t));
    boot->rsdp = find_rsdp(loader);
    boot->tsc_hz = measure_tsc(loader);
}

/* Some firmware keeps tables in memory that it calls reserved, so of whatever kind it is. */
static const void *read_memory(const void *view, uint64_t physical, size_t size)
{
    if (physical >= LIMEN_PHYSMAP_MAX || size > LIMEN_PHYSMAP_MAX - physical)
        return NULL;
    for (uint64_t at = physical; at < physical + size;) {
        const struct memory_stretch stretch = memory_at(view, at);
        if (stretch.kind == 0)
            return NULL;
        at = stretch.end;
    }
    return (const void *)(uintptr_t)physical;
}

void facts_read_wiring(struct loader *loader, const struct memory_view *view,
                       struct limen_boot *boot)
{
    const char *wrong = acpi_read(boot->rsdp, read_memory, view, &boot->interrupts);
    if (wrong != NULL)
        say(loader, "Limen: %s; a PC's usual wiring of interrupts is assumed", wrong);
}
