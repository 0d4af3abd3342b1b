/* SPDX-License-Identifier: MIT */
/* Turning the machine off and on. */
#include "power.h"

#include "acpi.h"
#include "device.h"

#include <limen.h>

/* ACPI 6.4, 4.8.3.2.1: PM1 control. */
#define PM1_SCI_ENABLE   0x0001u
#define PM1_SLEEP_SHIFT  10
#define PM1_SLEEP_ENABLE 0x2000u
#define ACPI_MODE_NS     1000000000u /* how long the firmware may take to enter ACPI mode */
#define MACHINE_ENDS_NS  1000000000u /* and the machine to go off or start anew */

/* QEMU's isa-debug-exit: the process ends with (value << 1) | 1, of which eight bits count.  Value
 * 0x10 is status 0, 0x7f the kernel's panic, and what lies between leaves no room for a shell's
 * status 127: the last value stands for it. */
#define DEBUG_EXIT_PORT 0xf4u
#define DEBUG_EXIT_OK   0x10u
#define DEBUG_EXIT_LAST 0x7eu

#define RESET_PORT    0xcf9u /* of Intel's chip sets since the PIIX3 */
#define RESET_PREPARE 0x02u
#define RESET_GO      0x06u

#define KEYBOARD_PORT  0x64u
#define KEYBOARD_RESET 0xfeu /* pulses the processor's reset line */

static void out(uint32_t port, unsigned bytes, uint32_t value)
{
    limen_port_out(LIMEN_INIT_PORTS, (uint16_t)port, bytes, value);
}

static uint32_t in(uint32_t port, unsigned bytes)
{
    uint32_t value;

    limen_port_in(LIMEN_INIT_PORTS, (uint16_t)port, bytes, &value);
    return value;
}

/* Lets a second pass in which the machine should end. */
static void await_end(void)
{
    for (uint64_t until = limen_now() + MACHINE_ENDS_NS; limen_now() < until;)
        limen_yield();
}

static void enter_acpi_mode(const struct acpi_power *power)
{
    uint64_t until = limen_now() + ACPI_MODE_NS;

    if (power->smi_command == 0 || (in(power->pm1a_control, 2) & PM1_SCI_ENABLE) != 0)
        return;
    out(power->smi_command, 1, power->acpi_enable);
    while ((in(power->pm1a_control, 2) & PM1_SCI_ENABLE) == 0 && limen_now() < until)
        limen_yield();
}

enum limen_error power_turn_off(uint64_t rsdp)
{
    struct acpi_power power;
    const char *problem = acpi_read_power(device_read, rsdp, &power);

    if (problem == NULL) {
        enter_acpi_mode(&power);
        out(power.pm1a_control, 2, (uint32_t)power.sleep_a << PM1_SLEEP_SHIFT | PM1_SLEEP_ENABLE);
        if (power.pm1b_control != 0)
            out(power.pm1b_control, 2,
                (uint32_t)power.sleep_b << PM1_SLEEP_SHIFT | PM1_SLEEP_ENABLE);
        await_end();
        problem = "the machine did not go off";
    }
    printf("init: turning off by ACPI failed: %s\n", problem);
    power_debug_exit(0);
    printf("init: it is safe to switch the machine off by hand\n");
    return LIMEN_NOT_SUPPORTED;
}

enum limen_error power_restart(void)
{
    out(RESET_PORT, 1, RESET_PREPARE);
    out(RESET_PORT, 1, RESET_GO);
    await_end();
    out(KEYBOARD_PORT, 1, KEYBOARD_RESET);
    await_end();
    return LIMEN_NOT_SUPPORTED;
}

enum limen_error power_debug_exit(uint64_t status)
{
    uint64_t value = DEBUG_EXIT_OK + status;

    out(DEBUG_EXIT_PORT, 1,
        status < DEBUG_EXIT_LAST && value < DEBUG_EXIT_LAST ? (uint32_t)value : DEBUG_EXIT_LAST);
    await_end();
    return LIMEN_NOT_SUPPORTED;
}
