# Builds the agent's archive for Windows, from what `./run package` left in dist.
# Needs Python 3.11 (py -3.11) and this repository; afterwards `./run package --sign-only`.
param([string]$Dist = "$PSScriptRoot\..\dist")
$ErrorActionPreference = 'Stop'
$root = Resolve-Path "$PSScriptRoot\.."
$dist = Resolve-Path $Dist
$work = Join-Path $env:TEMP "coffre-release-$PID"
$version = (Get-Content "$dist\release.json" | ConvertFrom-Json).version

function Call { & $args[0] $args[1..($args.Length - 1)]; if ($LASTEXITCODE) { throw "failed: $args" } }

New-Item -ItemType Directory $work | Out-Null
Call py -3.11 -m venv "$work\environment"
$python = "$work\environment\Scripts\python.exe"
Call $python -m pip install --require-hashes --no-deps -r "$dist\coffre-agent-$version-requirements.txt"
Call $python -m pip install --no-deps "$dist\coffre_agent-$version-py3-none-any.whl"
Call $python -m pip install --require-hashes --no-deps -r "$root\requirements-package.lock"

# What it believes updates by: the last 32 bytes of the public key's DER.
$pem = (Get-Content "$dist\release-key.pem" | Where-Object { $_ -notmatch '-----' }) -join ''
$der = [Convert]::FromBase64String($pem)
$key = -join ($der[($der.Length - 32)..($der.Length - 1)] | ForEach-Object { $_.ToString('x2') })
$told = @{ version = $version; public_key = $key } | ConvertTo-Json
[IO.File]::WriteAllText("$work\release.json", $told)

$env:COFFRE_RELEASE_WORK = $work
$env:PYTHONHASHSEED = '1'
Call $python -m PyInstaller --noconfirm --clean --distpath "$work\bundle" --workpath "$work\pyinstaller" "$PSScriptRoot\agent.spec"
Compress-Archive "$work\bundle\coffre-agent\*" "$dist\coffre-agent-$version-windows-x86_64.zip" -Force
Remove-Item -Recurse $work
