/* SPDX-License-Identifier: MIT */
#include "fw_cfg.h"
#include "loader.h"
#include "text.h"
#include <string.h>

#define VOLUME_FOLDER "\\limen\\"
#define FW_CFG_FOLDER "opt/limen/"
#define FILE_SIZE_MAX (1ull << 30)

static void join(char *to, size_t size, const char *folder, const char *name)
{
    size_t length = 0;
    for (const char *c = folder; *c != '\0' && length + 1 < size; c++)
        to[length++] = *c;
    for (const char *c = name; *c != '\0' && length + 1 < size; c++)
        to[length++] = *c;
    to[length] = '\0';
}

EFI_STATUS files_open(struct loader *loader)
{
    static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    const EFI_STATUS status = loader->services->HandleProtocol(loader->image, &loaded_image_guid,
                                                               (void **)&loader->loaded);
    if (EFI_ERROR(status))
        return fail(loader, status, "the firmware does not say where it found the loader");
    /* Without a volume (a loader started over the network) fw_cfg may still hold everything. */
    EFI_FILE_IO_INTERFACE *file_system;
    if (EFI_ERROR(loader->services->HandleProtocol(loader->loaded->DeviceHandle, &file_system_guid,
                                                   (void **)&file_system)) ||
        EFI_ERROR(file_system->OpenVolume(file_system, &loader->volume)))
        loader->volume = NULL;

    if (!fw_cfg_present())
        return EFI_SUCCESS;
    loader->fw_cfg = reserve(loader, FW_CFG_DIRECTORY_BYTES / PAGE_SIZE, LIMEN_MEMORY_FREE, false);
    if (loader->fw_cfg == NULL)
        return fail(loader, EFI_OUT_OF_RESOURCES, "the machine has too little memory");
    if (!fw_cfg_read(FW_CFG_DIRECTORY, loader->fw_cfg, FW_CFG_DIRECTORY_BYTES))
        return fail(loader, EFI_DEVICE_ERROR, "QEMU's fw_cfg device reports an error");
    return EFI_SUCCESS;
}

void files_close(struct loader *loader)
{
    if (loader->volume != NULL)
        loader->volume->Close(loader->volume);
}

static EFI_STATUS reserve_file(struct loader *loader, struct file *file, uint64_t size,
                               enum limen_memory_kind kind)
{
    if (size > FILE_SIZE_MAX)
        return fail(loader, EFI_LOAD_ERROR, "%s is larger than 1 GiB", file->path);
    file->size = size;
    file->data = reserve(loader, size / PAGE_SIZE + 1, kind, false);
    if (file->data == NULL)
        return fail(loader, EFI_OUT_OF_RESOURCES,
                    "the machine has too little memory to hold %s (%llu KiB)", file->path,
                    (unsigned long long)size / 1024);
    return EFI_SUCCESS;
}

/* EFI_NOT_FOUND, and nothing said, if QEMU hands no such file over. */
static EFI_STATUS read_handed_over(struct loader *loader, const char *name,
                                   enum limen_memory_kind kind, struct file *file)
{
    struct fw_cfg_file found;
    join(file->path, sizeof file->path, FW_CFG_FOLDER, name);
    if (loader->fw_cfg == NULL ||
        !fw_cfg_find(loader->fw_cfg, FW_CFG_DIRECTORY_BYTES, file->path, &found))
        return EFI_NOT_FOUND;
    const EFI_STATUS status = reserve_file(loader, file, found.size, kind);
    if (EFI_ERROR(status))
        return status;
    if (!fw_cfg_read(found.selector, file->data, found.size))
        return fail(loader, EFI_DEVICE_ERROR, "%s cannot be read from QEMU's fw_cfg device",
                    file->path);
    return EFI_SUCCESS;
}

static EFI_STATUS read_open_file(struct loader *loader, EFI_FILE_HANDLE handle,
                                 enum limen_memory_kind kind, struct file *file)
{
    UINT64 size = 0;
    EFI_STATUS status = handle->SetPosition(handle, UINT64_MAX); /* the end; a folder has none */
    if (!EFI_ERROR(status))
        status = handle->GetPosition(handle, &size);
    if (!EFI_ERROR(status))
        status = handle->SetPosition(handle, 0);
    if (EFI_ERROR(status))
        return fail(loader, EFI_LOAD_ERROR, "%s is not a file that can be read", file->path);
    status = reserve_file(loader, file, size, kind);
    if (EFI_ERROR(status))
        return status;
    UINTN length = size;
    status = handle->Read(handle, &length, file->data);
    if (EFI_ERROR(status) || length != size)
        return fail(loader, EFI_LOAD_ERROR, "%s cannot be read: the boot volume may be damaged",
                    file->path);
    return EFI_SUCCESS;
}

/* EFI_NOT_FOUND, and nothing said, if the volume has no such file. */
static EFI_STATUS read_from_volume(struct loader *loader, const char *name,
                                   enum limen_memory_kind kind, struct file *file)
{
    CHAR16 wide[sizeof file->path];
    join(file->path, sizeof file->path, VOLUME_FOLDER, name);
    for (size_t i = 0; i < sizeof file->path; i++)
        wide[i] = (CHAR16)file->path[i];
    if (loader->volume == NULL)
        return EFI_NOT_FOUND;
    EFI_FILE_HANDLE handle;
    EFI_STATUS status = loader->volume->Open(loader->volume, &handle, wide, EFI_FILE_MODE_READ, 0);
    if (status == EFI_NOT_FOUND)
        return status;
    if (EFI_ERROR(status))
        return fail(loader, EFI_LOAD_ERROR, "%s cannot be opened: the boot volume may be damaged",
                    file->path);
    status = read_open_file(loader, handle, kind, file);
    handle->Close(handle);
    return status;
}

EFI_STATUS files_read(struct loader *loader, const char *name, enum limen_memory_kind kind,
                      struct file *file)
{
    EFI_STATUS status = read_handed_over(loader, name, kind, file);
    if (status == EFI_NOT_FOUND)
        status = read_from_volume(loader, name, kind, file);
    if (status == EFI_NOT_FOUND)
        return fail(loader, status,
                    "there is no %s on the boot volume; copy it there, or write the image again",
                    file->path);
    if (!EFI_ERROR(status) && file->size == 0)
        return fail(loader, EFI_LOAD_ERROR, "%s is empty; copy it to the boot volume again",
                    file->path);
    return status;
}

EFI_STATUS files_read_cmdline(struct loader *loader, char line[LIMEN_BOOT_CMDLINE_MAX])
{
    struct file file;
    char options[LIMEN_BOOT_CMDLINE_MAX];
    const size_t options_length = text_from_load_options(
        loader->loaded->LoadOptions, loader->loaded->LoadOptionsSize, options, sizeof options);

    EFI_STATUS status = read_from_volume(loader, "cmdline.txt", LIMEN_MEMORY_FREE, &file);
    if (EFI_ERROR(status) && status != EFI_NOT_FOUND)
        return status;
    bool fits = status == EFI_NOT_FOUND ||
                text_append_words(line, LIMEN_BOOT_CMDLINE_MAX, file.data, file.size);
    fits = fits && text_append_words(line, LIMEN_BOOT_CMDLINE_MAX, options, options_length);
    status = read_handed_over(loader, "cmdline", LIMEN_MEMORY_FREE, &file);
    if (EFI_ERROR(status) && status != EFI_NOT_FOUND)
        return status;
    fits = fits && (status == EFI_NOT_FOUND ||
                    text_append_words(line, LIMEN_BOOT_CMDLINE_MAX, file.data, file.size));
    if (fits)
        return EFI_SUCCESS;
    return fail(loader, EFI_INVALID_PARAMETER,
                "the command line is longer than %llu characters; shorten cmdline.txt, the load "
                "options or what QEMU hands over",
                LIMEN_BOOT_CMDLINE_MAX - 1ull);
}
