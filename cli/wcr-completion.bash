# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for wcr: source this file, or copy it to
# /usr/share/bash-completion/completions/wcr. A test compares it with the program.

_wcr_commands='run replay plan faults inject merge compare export report gate plan-size show experiment doctor testbed help'

_wcr_options()
{
    case $1 in
    run) echo --db --jobs --json --check --shard --profile --executor --testbed --connect --agent --vmlinux ;;
    replay) echo --db --campaign --record --from --gdb --script --testbed ;;
    plan) echo --class --target --profile --module --seed --count --index --json --vmlinux --testbed ;;
    faults) echo --target --profile --module --json --vmlinux --testbed ;;
    inject) echo --domain --class --plan --target --profile --module --seed --index --vmlinux --wait --at-once --json ;;
    merge) echo --output --campaign --json ;;
    compare) echo --db --campaign --json ;;
    export) echo --db --format --table --columns --campaign --output ;;
    report) echo --db --campaign --experiments --output ;;
    gate) echo --db --policy --campaign --junit --json ;;
    plan-size) echo --below --failures --half-width --rate --only-disabled --only-enabled --power --confidence --json ;;
    show) echo --db --campaign --json ;;
    experiment) echo --db --disk --file-mb --guest-mb --testbed ;;
    doctor) echo --json --testbed ;;
    testbed) echo --dir --testbed --deterministic --memory --xen-args --dom0-args --command --follow ;;
    esac
}

# The words an option's value may be; nothing where it is free, or a file.
_wcr_values()
{
    case $1:$2 in
    run:--executor) echo testbed xen ;;
    plan:--class | plan:-c | inject:--class | inject:-c) wcr faults 2>/dev/null | awk 'NR > 1 { print $1 }' ;;
    *:--target | *:-t) echo all dir: file: func: range: ;;
    export:--format | export:-f) echo csv json markdown latex ;;
    experiment:--disk) echo hdd published nvme ;;
    export:--table | export:-t) echo compare outcomes effects pairs trials ;;
    esac
}

_wcr()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local words=

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$_wcr_commands --version --help"
        [ -z "$word" ] && words=$_wcr_commands
    elif [ "$command" = help ]; then
        words=${_wcr_commands% help}
    elif [[ $before == -* ]] && words=$(_wcr_values "$command" "$before") && [ -n "$words" ]; then
        :
    elif [[ $word == -* ]]; then
        words="$(_wcr_options "$command") --help"
    elif [ "$command" = testbed ] && [ "$COMP_CWORD" -eq 2 ]; then
        words='up shell call agent console status down'
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _wcr wcr
