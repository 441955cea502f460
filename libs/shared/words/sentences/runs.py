"""How a run ended that did not succeed."""

from __future__ import annotations

from libs.shared.words.sentences import Explanation

_AGAIN = "Run again."
_GOES_ON = "Nothing is lost: the next run goes on from here."
_STAYS = "Nothing was taken for removed: the last restore point stays."
_HOOK = "Nothing was backed up; read above what the program said."
_HOOK_CLIENT = (
    "Nothing was backed up. Have the program looked at by whoever looks after the machine, then run"
    " again."
)
_HOOK_HOTLINE = "Read the end of the log for what the program said, mend it, then run again."
_FEWER_CLIENT = (
    "Nothing was taken for removed. Check that the folder and its disk are there; if it is right"
    " so, have the plan corrected."
)
_FEWER_HOTLINE = "Check the mounts of the machine; if it is right so, lower the plan's minimum."
_CALL_IF_AGAIN = "Nothing is lost of the earlier restore points. Call us if the next run fails too."
_TWO_MACHINES = "See whether two machines use the same configuration."
_OURS = "Nothing to do for you: the next run goes on where it was. Call us if it fails too."
_AGAIN_HOTLINE = "Run the plan again; if it comes again, read the log of ingest."
_BETWEEN_HOTLINE = (
    "Check the address in the configuration, and the proxy or firewall of the client: what it must"
    " let pass stands in the manual."
)

RUNS: dict[str, Explanation] = {
    "folder-missing": Explanation(
        "The folder {subject} is not there[: {detail}].",
        "Nothing was backed up; put the folder back, or take it out of the plan.",
        "Nothing was backed up. Check that the folder and its disk are there, or have the plan"
        " corrected; then run again.",
        "Check the disk or the network drive of the machine, then run the plan again.",
    ),
    "folder-unreadable": Explanation(
        "The folder {subject} can't be read[: {detail}].",
        "Nothing was backed up; let the agent read it, or take it out of the plan.",
        "Nothing was backed up. Have the rights on the folder looked at by whoever looks after the"
        " machine, then run again.",
        "Check that the agent's user may read the folder and that its disk is sound, then run the"
        " plan again.",
    ),
    "folder-swapped": Explanation(
        "Where {subject} held files at the last run[ ({amount})], another, empty folder is now.",
        f"Is a disk not mounted? {_STAYS} If it is right so, run once with --accept-empty.",
        "Nothing was taken for removed. Check that its disk is connected; if it is right so, have"
        " the run accept it once.",
        "Check the mounts of the machine; if it is right so, run once with --accept-empty.",
    ),
    "source-empty": Explanation(
        "Far fewer files were found below {subject} than the plan expects: {amount} instead of at"
        " least {limit}.",
        f"Is a disk not mounted? {_STAYS} If it is right so, lower min_files.",
        _FEWER_CLIENT,
        _FEWER_HOTLINE,
    ),
    "source-small": Explanation(
        "Far less was found below {subject} than the plan expects: {amount} instead of at least"
        " {limit}.",
        f"Is a disk not mounted? {_STAYS} If it is right so, lower min_size.",
        _FEWER_CLIENT,
        _FEWER_HOTLINE,
    ),
    "snapshot-not-taken": Explanation(
        "No snapshot of {subject} could be taken[: {detail}].",
        'Nothing was backed up, as the plan requires one; mend it, or write snapshot = "auto".',
        "Nothing was backed up. Have the file system looked at by whoever looks after the machine,"
        " then run again.",
        "Check that the file system has snapshots, has room for one, and that the agent may take"
        " it; then run the plan again.",
    ),
    "hook-failed": Explanation(
        "The program to run before the backup failed: {subject} ended with status {amount}.",
        _HOOK,
        _HOOK_CLIENT,
        _HOOK_HOTLINE,
    ),
    "hook-timed-out": Explanation(
        "The program to run before the backup failed: {subject} took longer than {limit} and was"
        " stopped.",
        _HOOK,
        _HOOK_CLIENT,
        _HOOK_HOTLINE,
    ),
    "hook-not-started": Explanation(
        "The program to run before the backup failed: {subject} can't be started[: {detail}].",
        "Nothing was backed up; see that the program is there and may be run.",
        _HOOK_CLIENT,
        "Check on the machine that the program is there and may be run, then run the plan again.",
    ),
    "dump-failed": Explanation(
        "Databases without a good dump: {subject}. All else was backed up.",
        "See above why. The last good dump of each is kept.",
        "The last good dump of each is kept. See at each database why; have it looked at, then run"
        " again.",
        "See at each database why; check the database and its access, then run the plan again.",
    ),
    "dump-missing": Explanation(
        "Dumps that the plan promises did not come: {subject}. All else was backed up.",
        "The last good dump of each is kept.",
        "The last good dump of each is kept. Have the plan looked at by whoever looks after the"
        " machine, then run again.",
        "Check on the machine that the plan makes these dumps, then run it again.",
    ),
    "missed-again": Explanation(
        "Files that could not be backed up in several runs in a row ({limit}): {amount}. All others"
        " were backed up.",
        "Make them readable, or exclude them.",
        "Close the programs that hold these files at the hour of the backup, or have the files"
        " excluded.",
        "See which files; find the program that holds them, let the agent read them, or exclude"
        " them.",
    ),
    "incomplete": Explanation(
        "Not all that was contracted could be backed up.",
        "See above what is missing.",
        "See which files or databases are missing; close the program that holds them, or have the"
        " plan corrected.",
        "See what is missing; find the program that holds it, or exclude the file.",
    ),
    "abandoned": Explanation(
        "The machine stopped answering in the middle of the backup[ (silent for {limit})].",
        "See whether the machine is on and reaches the server.",
        "Check that the machine is on and connected; the next run goes on where it was.",
        "Check that the machine was not switched off or cut from the network during the run.",
    ),
    "overtaken": Explanation(
        "Another run of the same plan was started since.",
        "If not by this machine, the same token is used on two.",
        "Nothing to do if the next run succeeds; call us if this comes again.",
        _TWO_MACHINES,
    ),
    "agent-revoked": Explanation(
        "The machine's access was withdrawn during the run.",
        "Ask your provider; to go on, enrol the machine again.",
        "Call us if this is a mistake; to go on, the machine is enrolled again with a new code from"
        " us.",
        "Check why the agent was revoked; give the client a new enrolment code.",
    ),
    "growth-blocked": Explanation(
        "The stored volume has reached its limit, so nothing more can be added[: {amount} stored,"
        " {limit} allowed][ (“{words}”)].",
        "Order more volume, or reduce what is backed up. What is stored stays safe.",
        "Order more volume or reduce what is backed up; recovery of your files goes on.",
        "Call the client: order more volume, or reduce; an operator can unblock meanwhile.",
    ),
    "subscription-ended": Explanation(
        "The subscription has ended, so backups are not accepted any more[ (“{words}”)].",
        "Nothing is backed up; speak to your provider.",
        "Call us if this is a mistake: the end can be taken back for 30 days.",
        "Check the subscription; if the end was meant, remove the agent from the machine.",
    ),
    "subscription-suspended": Explanation(
        "The subscription is suspended, so backups are not accepted for the moment[ (“{words}”)].",
        "Nothing is backed up; speak to your provider.",
        "Call us to settle what is open; nothing is deleted meanwhile.",
        "Check the account of the client; lift the suspension once it is settled.",
    ),
    "rebuilt": Explanation(
        "This restore point was brought back after a loss on the server's side; a part of it could"
        " not be read.",
        "The next run sends what is missing.",
        "Nothing to do: the next run sends what is missing.",
        "Check that the next run succeeds; the rebuild's log says what could not be read.",
    ),
    "interrupted": Explanation(
        "The backup was stopped on the machine: by a person, or because it was shut down"
        "[ ({subject})].",
        "The next one goes on from here.",
        "Nothing, if that was meant; the next run goes on where it was.",
        "Ask whether it was meant; the next run goes on where it was.",
    ),
    "others-between": Explanation(
        "Other runs of this plan got in between, at each try ({amount}).",
        "Is the same configuration used on two machines?",
        "Call us if this comes again: two machines may use the same configuration.",
        _TWO_MACHINES,
    ),
    "content-changed": Explanation(
        "The server lacks parts of files that have changed since[ ({amount})].",
        _AGAIN,
        "Run again, at an hour at which nobody works with these files.",
        "Run the plan again; if it comes again, move it to a quieter hour.",
    ),
    "dump-lost": Explanation(
        "The server lacks a part of the dump {subject}, which can't be read a second time.",
        "Run again: the dump is made and sent anew.",
        "Run again: the dump is made and sent anew.",
        _AGAIN_HOTLINE,
    ),
    "records-missing": Explanation(
        "The server lacks parts of files.",
        _AGAIN,
        "Nothing to do: the next run sends them. Call us if it fails too.",
        _AGAIN_HOTLINE,
    ),
    "state-unusable": Explanation(
        "The list of the last backup can't be kept in {subject}[: {detail}].",
        "Nothing was backed up; make room there and run again.",
        "Nothing was backed up. Have room made on the machine's disk, then run again.",
        "Check room and rights of the agent's state folder, then run the plan again.",
    ),
    "list-cut": Explanation(
        "The server's list of the last backup broke off at each try ({amount}).",
        _GOES_ON,
        "Check the machine's connection to the Internet; the next run goes on where it was.",
        "Check the connection of the client, and the log of ingest.",
    ),
    "server-refused": Explanation(
        "The server refused the backup ({subject}[, {amount}]).[ {detail}]",
        "If it comes again, show this to your provider.",
        _CALL_IF_AGAIN,
        "Look the problem up in the log of ingest.",
    ),
    "server-unreachable": Explanation(
        "The server {subject} could not be reached[ for {limit}][ ({detail})].",
        _GOES_ON,
        "Check the machine's connection to the Internet; the next run goes on where it was.",
        "Check the client's connection, proxy and firewall, and that the server can be reached from"
        " outside.",
    ),
    "server-busy": Explanation(
        "The server {subject} took nothing[ for {limit}][ ({detail})].",
        _GOES_ON,
        _OURS,
        "Check load and health of ingest.",
    ),
    "storage-refused": Explanation(
        "The storage of the server {subject} took nothing[ for {limit}][ ({detail})].",
        _GOES_ON,
        _OURS,
        "Check the store: is it up, is a disk full?",
    ),
    "answered-by-another": Explanation(
        "Something other than the server answers at {subject}[ ({amount})][: {detail}].",
        "Check the address, and what stands between: a sign-in page of the network, a proxy or a"
        " firewall. It must let all requests of the agent pass, of up to 20 MB each.",
        "Check the machine's way to the Internet: does its network want a sign-in, or does a proxy"
        " or firewall stop the backup?",
        _BETWEEN_HOTLINE,
    ),
    "server-moved": Explanation(
        "Whoever asks at {subject} is sent elsewhere[, to {detail}].",
        "If that is your provider's new address, write it as server in the configuration; else a"
        " proxy or a sign-in page of the network stands between.",
        "Check the machine's way to the Internet: does its network want a sign-in? Else ask us for"
        " the right address.",
        _BETWEEN_HOTLINE,
    ),
    "proxy-sign-in": Explanation(
        "The proxy {subject} wants a sign-in[ ({detail})].",
        'Write it in the configuration: proxy = "http://user:password@proxy.example:3128".',
        "Have user and password of the network's proxy put into the configuration of the machine.",
        "The client's proxy wants user and password: proxy in the configuration of the agent.",
    ),
    "not-encrypted": Explanation(
        "No encrypted connection to {subject} can be made[: {detail}].",
        "Check the address: does it begin with http://, has it another port?",
        "Have the server's address in the configuration looked at; ask us for the right one.",
        "Check the address in the configuration of the agent: scheme and port.",
    ),
    "certificate-untrusted": Explanation(
        "The certificate of the server {subject} can't be trusted[: {detail}].",
        "Set ca_file in the configuration if the server has a private authority.",
        "Check date and time of the machine; call us if they are right.",
        "Check the server's certificate and the machine's clock; a private authority needs ca_file"
        " in the configuration.",
    ),
    "not-authorised": Explanation(
        "The server does not accept this machine.[ {detail}]",
        "Ask your provider for an enrolment code, then run: "
        "coffre-agent --config FILE enrol --server URL --code CODE",
        "Its access was withdrawn or has been replaced: enrol the machine again with a new code"
        " from us.",
        "Check whether the agent was revoked; give the client a new enrolment code.",
    ),
    "already-running": Explanation(
        "Another run of this plan is going on.",
        "Let it end.",
        "Nothing to do: let it end.",
        "Let it end; if it hangs, end it on the machine.",
    ),
    "usage": Explanation(
        "The command line or the configuration is wrong.",
        "",
        "Have the configuration looked at by whoever looks after the machine.",
        "Run on the machine: coffre-agent config validate",
    ),
    "failed": Explanation(
        "The backup could not be completed.",
        "Read the end of the log.",
        _CALL_IF_AGAIN,
        "Read the end of the log.",
    ),
}
