/* SPDX-License-Identifier: MIT */
/* The operations of kernel objects.  The layouts of their words are those of limen/objects.h. */
#include <runtime/objects.h>
#include <string.h>

enum limen_error limen_retype(uint32_t untyped, enum limen_type type, unsigned order,
                              uint32_t first, unsigned count)
{
    return limen_call8(untyped, LIMEN_UNTYPED_RETYPE, (uint64_t[8]){type, order, 0, first, count});
}

enum limen_error limen_untyped_info(uint32_t untyped, struct limen_untyped_info *info)
{
    uint64_t words[4] = {0};
    enum limen_error error = limen_call4(untyped, LIMEN_UNTYPED_INFO, words);

    *info = (struct limen_untyped_info){words[0], (unsigned)words[1], words[2], words[3] != 0};
    return error;
}

enum limen_error limen_copy(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from,
                            unsigned rights)
{
    return limen_call4(to_table, LIMEN_TABLE_COPY, (uint64_t[4]){to, from_table, from, rights});
}

enum limen_error limen_mint(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from,
                            unsigned rights, uint64_t badge)
{
    return limen_call8(to_table, LIMEN_TABLE_MINT,
                       (uint64_t[8]){to, from_table, from, rights, badge});
}

enum limen_error limen_move(uint32_t to_table, uint32_t to, uint32_t from_table, uint32_t from)
{
    return limen_call4(to_table, LIMEN_TABLE_MOVE, (uint64_t[4]){to, from_table, from});
}

enum limen_error limen_delete(uint32_t table, uint32_t slot)
{
    return limen_call4(table, LIMEN_TABLE_DELETE, (uint64_t[4]){slot});
}

enum limen_error limen_revoke(uint32_t table, uint32_t slot)
{
    return limen_call4(table, LIMEN_TABLE_REVOKE, (uint64_t[4]){slot});
}

enum limen_error limen_inspect(uint32_t table, uint32_t slot, struct limen_capability *capability)
{
    uint64_t words[4] = {slot};
    enum limen_error error = limen_call4(table, LIMEN_TABLE_INSPECT, words);

    *capability = (struct limen_capability){(enum limen_type)words[0], (unsigned)words[1], words[2],
                                            (unsigned)words[3]};
    return error;
}

enum limen_error limen_thread_configure(uint32_t thread, uint32_t space, uint32_t table,
                                        uint32_t fault_endpoint)
{
    return limen_call4(thread, LIMEN_THREAD_CONFIGURE, (uint64_t[4]){space, table, fault_endpoint});
}

/* As much of a name as fits into two words, which are zero. */
static void set_name(uint64_t words[2], const char *name)
{
    char *bytes = (char *)words;

    for (size_t i = 0; i < 2 * sizeof words[0] && name[i] != '\0'; i++)
        bytes[i] = name[i];
}

enum limen_error limen_thread_launch(uint32_t thread, const struct limen_launch *launch)
{
    uint64_t words[8] = {launch->rip,     launch->rsp,          launch->rdi,
                         launch->fs_base, launch->message_page, launch->priority};

    set_name(&words[6], launch->name);
    return limen_call8(thread, LIMEN_THREAD_LAUNCH, words);
}

enum limen_error limen_thread_set_priority(uint32_t thread, unsigned priority)
{
    return limen_call4(thread, LIMEN_THREAD_SET_PRIORITY, (uint64_t[4]){priority});
}

enum limen_error limen_thread_set_regs(uint32_t thread, const struct limen_regs *regs)
{
    unsigned words;

    memcpy(limen_message()->words, regs, sizeof *regs);
    return limen_transact(thread, limen_tag(LIMEN_THREAD_SET_REGS, LIMEN_REGS_WORDS, 0), &words);
}

enum limen_error limen_thread_get_regs(uint32_t thread, struct limen_regs *regs)
{
    unsigned words;
    enum limen_error error = limen_transact(thread, limen_tag(LIMEN_THREAD_GET_REGS, 0, 0), &words);

    if (error == LIMEN_OK)
        memcpy(regs, limen_message()->words, sizeof *regs);
    return error;
}

enum limen_error limen_thread_resume(uint32_t thread)
{
    return limen_call0(thread, LIMEN_THREAD_RESUME);
}

enum limen_error limen_thread_suspend(uint32_t thread)
{
    return limen_call0(thread, LIMEN_THREAD_SUSPEND);
}

enum limen_error limen_thread_set_message_page(uint32_t thread, uint32_t frame)
{
    return limen_call4(thread, LIMEN_THREAD_SET_MESSAGE_PAGE, (uint64_t[4]){frame});
}

enum limen_error limen_thread_bind(uint32_t thread, uint32_t notification)
{
    return limen_call4(thread, LIMEN_THREAD_BIND, (uint64_t[4]){notification});
}

enum limen_error limen_thread_set_bases(uint32_t thread, uint64_t fs, uint64_t gs)
{
    return limen_call4(thread, LIMEN_THREAD_SET_BASES, (uint64_t[4]){fs, gs});
}

enum limen_error limen_thread_set_debug(uint32_t thread, const uint64_t addresses[4],
                                        uint64_t control)
{
    uint64_t words[8] = {addresses[0], addresses[1], addresses[2], addresses[3], control};

    return limen_call8(thread, LIMEN_THREAD_SET_DEBUG, words);
}

enum limen_error limen_thread_set_reflection(uint32_t thread, uint64_t entry, uint64_t stack)
{
    return limen_call4(thread, LIMEN_THREAD_SET_REFLECTION, (uint64_t[4]){entry, stack});
}

enum limen_error limen_thread_set_name(uint32_t thread, const char *name)
{
    uint64_t words[4] = {0};

    set_name(words, name);
    return limen_call4(thread, LIMEN_THREAD_SET_NAME, words);
}

enum limen_error limen_thread_info(uint32_t thread, struct limen_thread_info *info)
{
    uint64_t words[8] = {0};
    enum limen_error error = limen_call8(thread, LIMEN_THREAD_INFO, words);

    *info = (struct limen_thread_info){
        .state = (enum limen_thread_state)words[0],
        .priority = (unsigned)words[1],
        .fault_label = (uint32_t)words[4],
        .fault_detail = words[5],
        .fault_rip = words[6],
        .nanoseconds = words[7],
    };
    memcpy(info->name, &words[2], sizeof info->name - 1);
    return error;
}

enum limen_error limen_thread_wait_info(uint32_t thread, struct limen_wait_info *info)
{
    uint64_t words[8] = {0};
    enum limen_error error = limen_call8(thread, LIMEN_THREAD_WAIT_INFO, words);

    *info = (struct limen_wait_info){
        .state = (enum limen_thread_state)words[0],
        .slot = (uint32_t)words[1],
        .type = (enum limen_type)words[2],
        .flags = (unsigned)words[3],
        .deadline = words[4],
        .tag = words[5],
        .fault_detail = {words[6], words[7]},
    };
    return error;
}

enum limen_error limen_thread_set_context(uint32_t thread, uint32_t context)
{
    return limen_call4(thread, LIMEN_THREAD_SET_CONTEXT, (uint64_t[4]){context});
}

enum limen_error limen_thread_set_passive(uint32_t thread, bool passive)
{
    return limen_call4(thread, LIMEN_THREAD_SET_PASSIVE, (uint64_t[4]){passive});
}

enum limen_error limen_context_configure(uint32_t context, uint64_t budget, uint64_t period,
                                         uint32_t authority)
{
    return limen_call4(context, LIMEN_CONTEXT_CONFIGURE, (uint64_t[4]){budget, period, authority});
}

enum limen_error limen_context_set_handler(uint32_t context, uint32_t endpoint)
{
    return limen_call4(context, LIMEN_CONTEXT_SET_HANDLER, (uint64_t[4]){endpoint});
}

enum limen_error limen_context_info(uint32_t context, struct limen_context_info *info)
{
    uint64_t words[8] = {0};
    enum limen_error error = limen_call8(context, LIMEN_CONTEXT_INFO, words);

    *info = (struct limen_context_info){words[0], words[1], words[2], words[3], (unsigned)words[4]};
    return error;
}

enum limen_error limen_space_donate(uint32_t space, uint32_t untyped)
{
    return limen_call4(space, LIMEN_SPACE_DONATE, (uint64_t[4]){untyped});
}

enum limen_error limen_frame_info(uint32_t frame, struct limen_frame_info *info)
{
    uint64_t words[4] = {0};
    enum limen_error error = limen_call4(frame, LIMEN_FRAME_INFO, words);

    *info = (struct limen_frame_info){words[0], (unsigned)words[1], words[2] != 0, words[3]};
    return error;
}

enum limen_error limen_irq_issue(uint32_t control, unsigned line, enum limen_irq_mode mode,
                                 uint32_t untyped, uint32_t to)
{
    return limen_call4(control, LIMEN_IRQ_CONTROL_ISSUE, (uint64_t[4]){line, mode, untyped, to});
}

enum limen_error limen_irq_bind(uint32_t irq, uint32_t notification)
{
    return limen_call4(irq, LIMEN_IRQ_BIND, (uint64_t[4]){notification});
}

enum limen_error limen_port_in(uint32_t ports, uint16_t port, unsigned bytes, uint32_t *value)
{
    uint64_t words[4] = {port, bytes};
    enum limen_error error = limen_call4(ports, LIMEN_PORTS_IN, words);

    *value = error == LIMEN_OK ? (uint32_t)words[0] : UINT32_MAX;
    return error;
}

enum limen_error limen_port_out(uint32_t ports, uint16_t port, unsigned bytes, uint32_t value)
{
    return limen_call4(ports, LIMEN_PORTS_OUT, (uint64_t[4]){port, bytes, value});
}

enum limen_error limen_port_out_bytes(uint32_t ports, uint16_t port, const void *bytes,
                                      size_t count)
{
    uint64_t words[8] = {port, count};

    if (count > LIMEN_PORTS_BYTES_MAX)
        return LIMEN_OUT_OF_RANGE;
    memcpy(&words[2], bytes, count);
    return limen_call8(ports, LIMEN_PORTS_OUT_BYTES, words);
}

enum limen_error limen_ports_narrow(uint32_t ports, uint16_t first, uint16_t last, uint32_t to)
{
    return limen_call4(ports, LIMEN_PORTS_NARROW, (uint64_t[4]){first, last, to});
}

enum limen_error limen_log_read(uint32_t kernel, uint64_t *position, char text[LIMEN_LOG_READ_MAX],
                                size_t *length)
{
    struct limen_message_page *page = limen_message();
    unsigned words;
    enum limen_error error;

    *length = 0;
    page->words[0] = *position;
    error = limen_transact(kernel, limen_tag(LIMEN_KERNEL_LOG_READ, 1, 0), &words);
    if (error != LIMEN_OK)
        return error;
    *position = page->words[0];
    *length = page->words[1];
    memcpy(text, &page->words[LIMEN_WORDS_IN_REGISTERS], *length);
    return LIMEN_OK;
}

enum limen_error limen_log_write(uint32_t kernel, const char *text, size_t length)
{
    enum limen_error error = LIMEN_OK;

    while (length > 0 && error == LIMEN_OK) {
        size_t part = length < LIMEN_LOG_WRITE_MAX ? length : LIMEN_LOG_WRITE_MAX;
        uint64_t words[8] = {part};
        memcpy(&words[1], text, part);
        error = limen_call8(kernel, LIMEN_KERNEL_LOG_WRITE, words);
        text += part;
        length -= part;
    }
    return error;
}

enum limen_error limen_counter(uint32_t kernel, enum limen_counter counter, uint64_t *value)
{
    uint64_t words[4] = {counter};
    enum limen_error error = limen_call4(kernel, LIMEN_KERNEL_COUNTER, words);

    *value = words[0];
    return error;
}

enum limen_error limen_counter_reset(uint32_t kernel, enum limen_counter counter)
{
    return limen_call4(kernel, LIMEN_KERNEL_COUNTER_RESET, (uint64_t[4]){counter});
}
