/* SPDX-License-Identifier: MIT */
/* The operations of kernel objects (limen/objects.h), one typed function each. */
#ifndef RUNTIME_OBJECTS_H
#define RUNTIME_OBJECTS_H

#include <limen/objects.h>
#include <limen/regs.h>
#include <runtime/ipc.h>

/* -- untyped memory -- */

struct limen_untyped_info {
    uint64_t address;
    unsigned order;
    uint64_t used;
    bool device;
};

enum limen_error limen_retype(uint32_t untyped, enum limen_type type, unsigned order,
                              uint32_t first, unsigned count);
enum limen_error limen_untyped_info(uint32_t untyped, struct limen_untyped_info *info);

/* -- capability tables -- */

struct limen_capability {
    enum limen_type type;
    unsigned rights;
    uint64_t badge;
    unsigned order;
};

enum limen_error limen_copy(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from,
                            unsigned rights);
enum limen_error limen_mint(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from,
                            unsigned rights, uint64_t badge);
enum limen_error limen_move(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from);
enum limen_error limen_delete(uint32_t table, uint32_t slot);
enum limen_error limen_revoke(uint32_t table, uint32_t slot);
enum limen_error limen_inspect(uint32_t table, uint32_t slot, struct limen_capability *capability);

/* -- threads -- */

struct limen_thread_info {
    enum limen_thread_state state;
    unsigned priority;
    char name[17];
    uint32_t fault_label;
    uint64_t fault_detail;
    uint64_t fault_rip;
    uint64_t nanoseconds;
};

/* What a thread waits for (LIMEN_THREAD_WAIT_INFO). */
struct limen_wait_info {
    enum limen_thread_state state;
    uint32_t slot;        /* of the thread's own table */
    enum limen_type type; /* of the object it waits for */
    unsigned flags;       /* LIMEN_WAIT_* */
    uint64_t deadline;    /* nanoseconds */
    uint64_t tag;         /* of the message it sends */
    uint64_t fault_detail[2];
};

enum limen_error limen_thread_wait_info(uint32_t thread, struct limen_wait_info *info);

enum limen_error limen_thread_configure(uint32_t thread, uint32_t space, uint32_t table,
                                        uint32_t fault_endpoint);

/* What a thread begins with. */
struct limen_launch {
    uint64_t rip;
    uint64_t rsp;
    uint64_t rdi;
    uint64_t fs_base;
    uint32_t message_page; /* slot of the frame */
    unsigned priority;
    const char *name;
};

enum limen_error limen_thread_launch(uint32_t thread, const struct limen_launch *launch);
enum limen_error limen_thread_set_priority(uint32_t thread, unsigned priority);
enum limen_error limen_thread_set_regs(uint32_t thread, const struct limen_regs *regs);
enum limen_error limen_thread_get_regs(uint32_t thread, struct limen_regs *regs);
enum limen_error limen_thread_resume(uint32_t thread);
enum limen_error limen_thread_suspend(uint32_t thread);
enum limen_error limen_thread_set_message_page(uint32_t thread, uint32_t frame);
enum limen_error limen_thread_bind(uint32_t thread, uint32_t notification);
enum limen_error limen_thread_set_bases(uint32_t thread, uint64_t fs, uint64_t gs);
enum limen_error limen_thread_set_debug(uint32_t thread, const uint64_t addresses[4],
                                        uint64_t control);
enum limen_error limen_thread_set_reflection(uint32_t thread, uint64_t entry, uint64_t stack);
enum limen_error limen_thread_set_name(uint32_t thread, const char *name);
enum limen_error limen_thread_info(uint32_t thread, struct limen_thread_info *info);
enum limen_error limen_thread_set_context(uint32_t thread, uint32_t context);
enum limen_error limen_thread_set_passive(uint32_t thread, bool passive);

/* -- scheduling contexts; times in nanoseconds -- */

struct limen_context_info {
    uint64_t budget;
    uint64_t period;
    uint64_t left;
    uint64_t consumed;
    unsigned parked;
};

enum limen_error limen_context_configure(uint32_t context, uint64_t budget, uint64_t period,
                                         uint32_t authority);
enum limen_error limen_context_set_handler(uint32_t context, uint32_t endpoint);
enum limen_error limen_context_info(uint32_t context, struct limen_context_info *info);

/* -- address spaces and frames -- */

enum limen_error limen_space_donate(uint32_t space, uint32_t untyped);

/* Inline: what maps and unmaps much is often measured. */
static inline enum limen_error limen_map(uint32_t frame, uint32_t space, uint64_t address,
                                         unsigned rights, enum limen_cache cache)
{
    return limen_call4(frame, LIMEN_FRAME_MAP, (uint64_t[4]){space, address, rights, cache});
}

static inline enum limen_error limen_unmap(uint32_t frame)
{
    return limen_call0(frame, LIMEN_FRAME_UNMAP);
}

struct limen_frame_info {
    uint64_t physical;
    unsigned order;
    bool device;
    uint64_t mapped; /* address, or 0 */
};

enum limen_error limen_frame_info(uint32_t frame, struct limen_frame_info *info);

/* -- interrupts and ports -- */

enum limen_error limen_irq_issue(uint32_t control, unsigned line, enum limen_irq_mode mode,
                                 uint32_t untyped, uint32_t to);
enum limen_error limen_irq_bind(uint32_t irq, uint32_t notification);

static inline enum limen_error limen_irq_ack(uint32_t irq)
{
    return limen_call0(irq, LIMEN_IRQ_ACK);
}

enum limen_error limen_port_in(uint32_t ports, uint16_t port, unsigned bytes, uint32_t *value);
enum limen_error limen_port_out(uint32_t ports, uint16_t port, unsigned bytes, uint32_t value);

#define LIMEN_PORTS_BYTES_MAX 48u /* of one limen_port_out_bytes(): six words */
enum limen_error limen_port_out_bytes(uint32_t ports, uint16_t port, const void *bytes,
                                      size_t count);
enum limen_error limen_ports_narrow(uint32_t ports, uint16_t first, uint16_t last, uint32_t to);

/* -- the kernel -- */

#define LIMEN_LOG_READ_MAX  448u /* bytes of one limen_log_read() */
#define LIMEN_LOG_WRITE_MAX 48u  /* bytes of one message */

/* Reads the kernel's log from *position on; *position becomes where to read next. */
enum limen_error limen_log_read(uint32_t kernel, uint64_t *position, char text[LIMEN_LOG_READ_MAX],
                                size_t *length);
enum limen_error limen_log_write(uint32_t kernel, const char *text, size_t length);
enum limen_error limen_counter(uint32_t kernel, enum limen_counter counter, uint64_t *value);
enum limen_error limen_counter_reset(uint32_t kernel, enum limen_counter counter);

#endif
