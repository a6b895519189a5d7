# Appends to each certificate's line what its block is made from, as one field: what counts everywhere, `<inode> <size>
# <time>` of its two files, its names. Empty when a file is missing. The files come first, as `<path> <inode> <size>
# <time>`, then a line `=`, then the certificates.

BEGIN { FS = "|" }
!is_past_files && $0 == "=" { is_past_files = 1; next }
!is_past_files {
    at = index($0, " ")
    file[substr($0, 1, at - 1)] = substr($0, at + 1)
    next
}
{
    made_from = $1 == "@others" ? everywhere : ""
    certificate = live $1 "/fullchain.pem"
    key = live $1 "/privkey.pem"
    if (everywhere != "" && (certificate in file) && (key in file))
        made_from = everywhere ", " file[certificate] ", " file[key] ", " $2 " " $3
    print $0 "|" made_from
}
