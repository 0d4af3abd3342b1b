# SPDX-License-Identifier: MIT
# `make help`: the targets and variables that have a comment of lines beginning with ## above them.
/^## / {
    text = text (text == "" ? "" : "\n") substr($0, 4)
    next
}
/^\.PHONY:/ || /^#/ {
    next
}
text != "" && match($0, /^[A-Z_]+ *\?=/) {
    name = $1
    value = $0
    sub(/^[^=]*= */, "", value)
    variables = variables entry(name, text (value == "" ? "" : " [" value "]"))
}
text != "" && match($0, /^[a-z-]+:/) {
    name = substr($0, 1, RLENGTH - 1)
    targets = targets entry("make " name, text)
}
{
    text = ""
}
END {
    printf "Targets:\n%s\nVariables, given as make NAME=value; [the default]:\n%s", targets, variables
}

function entry(name, text,    lines, count, i, result) {
    count = split(text, lines, "\n")
    result = sprintf("  %-16s %s\n", name, lines[1])
    for (i = 2; i <= count; i++)
        result = result sprintf("  %-16s %s\n", "", lines[i])
    return result
}
