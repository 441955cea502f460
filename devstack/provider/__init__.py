"""A provider's half year, played on an installation: `./run demo`.

`cast` says who there is, `rhythm` what happens when, `house` is all five services in this process
at whatever date, `machines` the clients' agents, `people` what they and operators do, `filling`
plays it, and `pictures` photographs the pages.
"""

EPILOG = (
    "It needs an installation that runs (`./run up` in another terminal) and has no clients but"
    " that of the demonstration. The services rest meanwhile. Today's date stays what it is: the"
    " half year ends now."
)
