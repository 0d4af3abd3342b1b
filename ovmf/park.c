/* SPDX-License-Identifier: MIT */
/*
 * A boot program that waits to be given a disk, and boots that.
 *
 * The firmware takes seconds to come up and does the same each time.  So a machine's state is saved
 * once, while this program waits, and every later machine goes on from there (ovmf/parked.py).  The
 * disk it is given is an image in fw_cfg, which becomes a RAM disk: what the firmware knows of the
 * real disk it has read long ago, and a real disk answers when the host gets round to it, while
 * fw_cfg answers at once, so that the same state and the same image make the same run, exactly.
 */
#include "fw_cfg.h"
#include <efi.h>
#include <string.h>

#define DISK_FILE        "opt/limen/disk"
#define HOLES_FILE       "opt/limen/holes"
#define POLL_MICROSECOND 1000
#define PAGE_SIZE        4096u

/* UEFI 2.10, section 13.17, which gnu-efi does not have. */
struct ram_disk {
    EFI_STATUS(EFIAPI *add)
    (UINT64 base, UINT64 size, const EFI_GUID *type, const EFI_DEVICE_PATH *parent,
     EFI_DEVICE_PATH **path);
    EFI_STATUS(EFIAPI *remove)(EFI_DEVICE_PATH *path);
};

static EFI_GUID ram_disk_guid = {
    0xab38a0df, 0x6873, 0x44a9, {0x87, 0xe6, 0xd4, 0xeb, 0x56, 0x14, 0x84, 0x49}};
static const EFI_GUID virtual_disk = {
    0x77ab535a, 0x45fc, 0x624b, {0x55, 0x60, 0xf7, 0xb2, 0x81, 0xd1, 0xf9, 0x6e}};
static EFI_GUID device_path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

/* Writable only because the firmware's interface knows no const. */
static CHAR16 waiting[] = L"park: waiting for a disk\r\n";

/* The end of a device path: a file, and the node that ends every path. */
static const struct {
    UINT8 type, subtype, length[2];
    CHAR16 path[sizeof(L"\\EFI\\BOOT\\BOOTX64.EFI") / sizeof(CHAR16)];
    UINT8 end_type, end_subtype, end_length[2];
} file_path = {
    .type = MEDIA_DEVICE_PATH,
    .subtype = MEDIA_FILEPATH_DP,
    .length = {4 + sizeof(L"\\EFI\\BOOT\\BOOTX64.EFI"), 0},
    .path = L"\\EFI\\BOOT\\BOOTX64.EFI",
    .end_type = END_DEVICE_PATH_TYPE,
    .end_subtype = END_ENTIRE_DEVICE_PATH_SUBTYPE,
    .end_length = {4, 0},
};

static bool find_file(const char *name, struct fw_cfg_file *file)
{
    static UINT8 directory[FW_CFG_DIRECTORY_BYTES];
    return fw_cfg_read(FW_CFG_DIRECTORY, directory, sizeof directory) &&
           fw_cfg_find(directory, sizeof directory, name, file);
}

/* Reserves every other of some pages, as many as a file asks for, if there is one: each makes two
 * entries more in the memory map. */
static void make_holes(EFI_BOOT_SERVICES *boot)
{
    struct fw_cfg_file file;
    char text[4] = "";
    unsigned holes = 0;
    EFI_PHYSICAL_ADDRESS pages = 0;
    if (!find_file(HOLES_FILE, &file) || file.size >= sizeof text ||
        !fw_cfg_read(file.selector, text, file.size))
        return;
    for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
        holes = holes * 10 + (unsigned)(*digit - '0');
    if (boot->AllocatePages(AllocateAnyPages, EfiBootServicesData, 2 * holes, &pages) !=
        EFI_SUCCESS)
        return;
    for (unsigned i = 0; i < holes; i++) {
        EFI_PHYSICAL_ADDRESS page = pages + 2 * i * PAGE_SIZE;
        boot->FreePages(page, 1);
        boot->AllocatePages(AllocateAddress, EfiReservedMemoryType, 1, &page);
    }
}

/* The memory is the firmware's until boot services end, and free from then on. */
static EFI_STATUS make_disk(EFI_BOOT_SERVICES *boot, const struct fw_cfg_file *file,
                            EFI_DEVICE_PATH **path)
{
    EFI_PHYSICAL_ADDRESS memory = 0;
    struct ram_disk *disks = NULL;
    EFI_STATUS status = boot->AllocatePages(AllocateAnyPages, EfiBootServicesData,
                                            (file->size + PAGE_SIZE - 1) / PAGE_SIZE, &memory);
    if (status == EFI_SUCCESS && !fw_cfg_read(file->selector, (void *)memory, file->size))
        status = EFI_DEVICE_ERROR;
    if (status == EFI_SUCCESS)
        status = boot->LocateProtocol(&ram_disk_guid, NULL, (void **)&disks);
    return status == EFI_SUCCESS ? disks->add(memory, file->size, &virtual_disk, NULL, path)
                                 : status;
}

/* The bytes of a device path before the node that ends it. */
static UINTN path_size(const EFI_DEVICE_PATH *path)
{
    const UINT8 *node = (const UINT8 *)path;
    while (node[0] != END_DEVICE_PATH_TYPE)
        node += node[2] | node[3] << 8;
    return (UINTN)(node - (const UINT8 *)path);
}

/* The path of the volume on the disk; NULL if there is none. */
static EFI_DEVICE_PATH *find_volume(EFI_BOOT_SERVICES *boot, const EFI_DEVICE_PATH *disk)
{
    EFI_HANDLE *volumes = NULL;
    UINTN count = 0;
    boot->LocateHandleBuffer(ByProtocol, &file_system_guid, NULL, &count, &volumes);
    for (UINTN i = 0; i < count; i++) {
        EFI_DEVICE_PATH *path = NULL;
        if (boot->HandleProtocol(volumes[i], &device_path_guid, (void **)&path) == EFI_SUCCESS &&
            path_size(path) >= path_size(disk) && memcmp(path, disk, path_size(disk)) == 0)
            return path;
    }
    return NULL;
}

static EFI_STATUS boot_volume(EFI_BOOT_SERVICES *boot, EFI_HANDLE self,
                              const EFI_DEVICE_PATH *volume)
{
    UINT8 *path = NULL;
    EFI_HANDLE image = NULL;
    const UINTN size = path_size(volume);
    EFI_STATUS status = boot->AllocatePool(EfiLoaderData, size + sizeof file_path, (void **)&path);
    if (status != EFI_SUCCESS)
        return status;
    memcpy(path, volume, size);
    memcpy(path + size, &file_path, sizeof file_path);
    status = boot->LoadImage(FALSE, self, (EFI_DEVICE_PATH *)(void *)path, NULL, 0, &image);
    boot->FreePool(path);
    return status == EFI_SUCCESS ? boot->StartImage(image, NULL, NULL) : status;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *system);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *system)
{
    EFI_BOOT_SERVICES *boot = system->BootServices;
    struct fw_cfg_file file;
    EFI_DEVICE_PATH *disk = NULL;
    if (!fw_cfg_present())
        return EFI_UNSUPPORTED;
    system->ConOut->OutputString(system->ConOut, waiting);
    while (!find_file(DISK_FILE, &file))
        boot->Stall(POLL_MICROSECOND);
    make_holes(boot);
    const EFI_STATUS status = make_disk(boot, &file, &disk);
    if (status != EFI_SUCCESS)
        return status;
    const EFI_DEVICE_PATH *volume = find_volume(boot, disk);
    return volume ? boot_volume(boot, self, volume) : EFI_NOT_FOUND;
}
