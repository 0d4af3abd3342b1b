/* SPDX-License-Identifier: MIT */
#include "fw_cfg.h"
#include "processor.h"
#include <cpuid.h>
#include <string.h>

enum {
    PORT_SELECTOR = 0x510,
    PORT_DATA = 0x511,
    PORT_DMA_HIGH = 0x514,
    PORT_DMA_LOW = 0x518,
    ITEM_SIGNATURE = 0,
    ITEM_FEATURES = 1,
    FEATURE_DMA = 2,
};

#define CPUID_HYPERVISOR (1u << 31) /* leaf 1, ECX */
#define DMA_ERROR        (1u << 0)
#define DMA_READ         (1u << 1)
#define DMA_SELECT       (1u << 3)

struct dma_command { /* big-endian */
    uint32_t control;
    uint32_t length;
    uint64_t address;
};

static void read_bytes(uint16_t selector, uint8_t *bytes, size_t count)
{
    port_out16(PORT_SELECTOR, selector);
    for (size_t i = 0; i < count; i++)
        bytes[i] = port_in8(PORT_DATA);
}

bool fw_cfg_present(void)
{
    unsigned eax, ebx, ecx, edx;
    uint8_t signature[4], features[4];
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & CPUID_HYPERVISOR) == 0)
        return false;
    read_bytes(ITEM_SIGNATURE, signature, sizeof signature);
    if (memcmp(signature, "QEMU", sizeof signature) != 0)
        return false;
    read_bytes(ITEM_FEATURES, features, sizeof features);
    return (features[0] & FEATURE_DMA) != 0;
}

bool fw_cfg_read(uint16_t selector, void *buffer, uint32_t size)
{
    volatile struct dma_command command = {
        .control = __builtin_bswap32((uint32_t)selector << 16 | DMA_SELECT | DMA_READ),
        .length = __builtin_bswap32(size),
        .address = __builtin_bswap64((uintptr_t)buffer),
    };
    const uint64_t address = (uintptr_t)&command;
    port_out32(PORT_DMA_HIGH, __builtin_bswap32((uint32_t)(address >> 32)));
    port_out32(PORT_DMA_LOW, __builtin_bswap32((uint32_t)address));
    /* QEMU carries the command out before the write to the port returns. */
    return command.control == 0;
}
