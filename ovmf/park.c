/* SPDX-License-Identifier: MIT */
/*
 * A boot program that waits for another disk, and boots that.
 *
 * The firmware takes seconds to come up and does the same each time.  So its state is saved once,
 * while this program waits, and every later machine starts from there with its own disk in place of
 * the one that held this program (ovmf/parked.py).  The disk's driver is disconnected and connected
 * again, because what the firmware knows of partitions and files is about the old disk.
 */
#include <efi.h>
#include <string.h>

#define HEADER_LBA    1 /* of the GUID partition table: UEFI 2.10, section 5.3.2 */
#define POLL_MICROSEC 1000
#define SECTOR_MAX    4096

/* Writable only because the firmware's interface knows no const. */
static CHAR16 waiting[] = L"park: waiting for a disk\r\n";
static EFI_GUID block_io_guid = EFI_BLOCK_IO_PROTOCOL_GUID;
static EFI_GUID device_path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

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

/* The one whole disk of the machine, and its handle. */
static EFI_BLOCK_IO *find_disk(EFI_BOOT_SERVICES *boot, EFI_HANDLE *disk)
{
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;
    if (boot->LocateHandleBuffer(ByProtocol, &block_io_guid, NULL, &count, &handles) != EFI_SUCCESS)
        return NULL;
    for (UINTN i = 0; i < count; i++) {
        EFI_BLOCK_IO *io = NULL;
        if (boot->HandleProtocol(handles[i], &block_io_guid, (void **)&io) != EFI_SUCCESS ||
            io->Media->LogicalPartition || !io->Media->MediaPresent ||
            io->Media->BlockSize > SECTOR_MAX)
            continue;
        *disk = handles[i];
        return io;
    }
    return NULL;
}

static EFI_STATUS wait_for_other_disk(EFI_BOOT_SERVICES *boot, EFI_BLOCK_IO *io)
{
    static UINT8 before[SECTOR_MAX], now[SECTOR_MAX];
    UINTN size = io->Media->BlockSize;
    EFI_STATUS status = io->ReadBlocks(io, io->Media->MediaId, HEADER_LBA, size, before);
    do {
        if (status != EFI_SUCCESS)
            return status;
        boot->Stall(POLL_MICROSEC);
        status = io->ReadBlocks(io, io->Media->MediaId, HEADER_LBA, size, now);
    } while (memcmp(before, now, size) == 0);
    return EFI_SUCCESS;
}

static UINTN path_size(const EFI_DEVICE_PATH *path)
{
    const UINT8 *node = (const UINT8 *)path;
    while (node[0] != END_DEVICE_PATH_TYPE)
        node += node[2] | node[3] << 8;
    return (UINTN)(node - (const UINT8 *)path);
}

/* Loads the boot program of a volume and runs it. */
static EFI_STATUS boot_volume(EFI_BOOT_SERVICES *boot, EFI_HANDLE self, EFI_HANDLE volume)
{
    EFI_DEVICE_PATH *path = NULL;
    UINT8 *whole = NULL;
    EFI_HANDLE image = NULL;
    EFI_STATUS status = boot->HandleProtocol(volume, &device_path_guid, (void **)&path);
    if (status != EFI_SUCCESS)
        return status;
    UINTN size = path_size(path);
    status = boot->AllocatePool(EfiLoaderData, size + sizeof file_path, (void **)&whole);
    if (status != EFI_SUCCESS)
        return status;
    memcpy(whole, path, size);
    memcpy(whole + size, &file_path, sizeof file_path);
    status = boot->LoadImage(FALSE, self, (EFI_DEVICE_PATH *)(void *)whole, NULL, 0, &image);
    boot->FreePool(whole);
    return status == EFI_SUCCESS ? boot->StartImage(image, NULL, NULL) : status;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *system);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *system)
{
    EFI_BOOT_SERVICES *boot = system->BootServices;
    EFI_HANDLE disk = NULL, *volumes = NULL;
    UINTN count = 0;
    EFI_BLOCK_IO *io = find_disk(boot, &disk);
    if (!io)
        return EFI_NOT_FOUND;
    system->ConOut->OutputString(system->ConOut, waiting);
    EFI_STATUS status = wait_for_other_disk(boot, io);
    if (status == EFI_SUCCESS)
        status = boot->DisconnectController(disk, NULL, NULL);
    if (status == EFI_SUCCESS)
        status = boot->ConnectController(disk, NULL, NULL, TRUE);
    if (status == EFI_SUCCESS)
        status = boot->LocateHandleBuffer(ByProtocol, &file_system_guid, NULL, &count, &volumes);
    return status == EFI_SUCCESS ? boot_volume(boot, self, volumes[0]) : status;
}
