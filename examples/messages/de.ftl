### Die Texte der Seiten und Mails auf Deutsch. Die englische Datei, pat-core/messages/en.ftl, sagt, wo jeder Text steht.

## Datum und Zahlen

digit-group = .
month =
    { $month ->
        [1] Januar
        [2] Februar
        [3] März
        [4] April
        [5] Mai
        [6] Juni
        [7] Juli
        [8] August
        [9] September
        [10] Oktober
        [11] November
       *[12] Dezember
    }
month-short =
    { $month ->
        [1] Jan.
        [2] Feb.
        [3] März
        [4] Apr.
        [5] Mai
        [6] Juni
        [7] Juli
        [8] Aug.
        [9] Sept.
        [10] Okt.
        [11] Nov.
       *[12] Dez.
    }
date = { $day }. { month } { $year }
date-time = { $day }. { month } { $year }, { $hour }:{ $minute } { $zone }
weekday-short =
    { $weekday ->
        [1] Mo.
        [2] Di.
        [3] Mi.
        [4] Do.
        [5] Fr.
        [6] Sa.
       *[7] So.
    }
short-date = { $day }.{ "\u00A0" }{ month-short } { $year }
short-date-time = { weekday-short }, { $day }. { month-short } { $year }, { $hour }:{ $minute }{ "\u00A0" }{ $zone }

## Alle Seiten

skip-to-content = Zum Inhalt springen
tokens = Persönliche Zugriffstoken
administration = Persönliche Zugriffstoken verwalten
error-title = Fehler: { $title }
days =
    { $days ->
        [one] { $days } Tag
       *[other] { $days } Tage
    }
hours =
    { $hours ->
        [one] { $hours } Stunde
       *[other] { $hours } Stunden
    }
minutes =
    { $minutes ->
        [one] { $minutes } Minute
       *[other] { $minutes } Minuten
    }
seconds =
    { $seconds ->
        [one] { $seconds } Sekunde
       *[other] { $seconds } Sekunden
    }
just-now = gerade eben
minutes-ago =
    { $minutes ->
        [one] vor { $minutes } Minute
       *[other] vor { $minutes } Minuten
    }
hours-ago =
    { $hours ->
        [one] vor { $hours } Stunde
       *[other] vor { $hours } Stunden
    }
days-ago =
    { $days ->
        [one] vor { $days } Tag
       *[other] vor { $days } Tagen
    }
in-minutes =
    { $minutes ->
        [one] in { $minutes } Minute
       *[other] in { $minutes } Minuten
    }
in-hours =
    { $hours ->
        [one] in { $hours } Stunde
       *[other] in { $hours } Stunden
    }
in-days =
    { $days ->
        [one] in { $days } Tag
       *[other] in { $days } Tagen
    }
times-in = Zeiten sind in { $zone }.
again-signed-out = Sie waren abgemeldet, als Sie dieses Formular gesendet haben; es ist deshalb nichts geschehen. Prüfen Sie Ihre Eingaben, und senden Sie es noch einmal.
again-expired = Dieses Formular war verfallen, als Sie es gesendet haben; es ist deshalb nichts geschehen. Prüfen Sie Ihre Eingaben, und senden Sie es noch einmal. Wenn das nicht hilft, erlauben Sie Cookies für diese Website.
characters-used =
    { $max ->
        [one] { $count } von { $max } Zeichen
       *[other] { $count } von { $max } Zeichen
    }
token-status =
    { $status ->
        [ACTIVE] Aktiv
        [EXPIRES_SOON] Läuft bald ab
        [DISABLED] Angehalten
        [EXPIRED] Abgelaufen
        [REVOKED] Widerrufen
       *[other] { $status }
    }
replaced = Ersetzt
works-until = Gilt bis
ends-in = Endet auf
description = Beschreibung
never = Nie
never-used = Nie
scopes = Berechtigungen
unrestricted = Uneingeschränkt
no-scopes = Keine
more-scopes = +{ $count }
cancel = Abbrechen

## Die eigenen Token

tokens-introduction = Mit einem persönlichen Zugriffstoken handelt ein Skript oder ein anderes Programm in Ihrem Namen, ohne Ihr Passwort zu kennen. Bewahren Sie es so sicher auf wie ein Passwort.
create-token = Token anlegen
no-tokens = Sie haben noch keine Token
no-tokens-hint = Legen Sie für jedes Skript oder Programm ein eigenes an. Dann sehen Sie, wann es zuletzt benutzt wurde, und können es widerrufen, ohne die anderen anzutasten.
token-count =
    { $max ->
        [one] { $count } von { $max } Token
       *[other] { $count } von { $max } Token
    }
limit-reached =
    Sie haben { $count ->
        [one] { $count } Token
       *[other] { $count } Token
    }; höchstens { $max ->
        [one] { $max } ist erlaubt
       *[other] { $max } sind erlaubt
    }, abgelaufene mitgezählt. Widerrufen Sie { $revoke }, um ein weiteres anzulegen.
switched-off = Persönliche Zugriffstoken sind ausgeschaltet. Es können keine angelegt werden, und vorhandene werden abgelehnt, bis sie wieder eingeschaltet sind.
name = Name
status = Status
created = Angelegt
last-used = Zuletzt benutzt
expires = Läuft ab
actions = Aktionen
replace = Ersetzen…
replace-named = { $name } ersetzen
pause = Anhalten…
pause-named = { $name } anhalten
resume = Fortsetzen…
resume-named = { $name } fortsetzen
edit = Bearbeiten…
edit-named = { $name } bearbeiten
more = Mehr
more-named = Mehr zu { $name }
revoke = Widerrufen
revoke-named = { $name } widerrufen
revoke-question = „{ $name }“ widerrufen?
revoke-consequence = Was dieses Token benutzt, wird ab sofort abgelehnt. Das lässt sich nicht rückgängig machen.
revoke-expired = Dieses Token ist abgelaufen und wird deshalb bereits abgelehnt. Durch den Widerruf verschwindet es aus der Liste. Das lässt sich nicht rückgängig machen.
revoke-paused = Dieses Token ist angehalten und wird deshalb bereits abgelehnt. Ist es widerrufen, kann es nicht mehr fortgesetzt werden.
revoke-predecessors = Was dieses Token ersetzt hat, wird ebenfalls widerrufen.
revoke-successor = Das Token, das es ersetzt hat, gilt weiter.
revoked = „{ $name }“ wurde widerrufen.
already-revoked = „{ $name }“ war bereits widerrufen.
revoke-family = Auch Ersatztoken widerrufen und alle Token, die mit einem von diesen angelegt wurden
live-children =
    { $count ->
        [one] Noch gültig: { $count } Token, das mit dem Widerrufenen angelegt wurde.
       *[other] Noch gültig: { $count } Token, die mit dem Widerrufenen angelegt wurden.
    }

## Änderungen an einem Token

pause-question = „{ $name }“ anhalten?
pause-consequence = Was dieses Token benutzt, wird abgelehnt, bis Sie es fortsetzen. Es läuft währenddessen ab wie bisher.
pause-expired = Dieses Token ist abgelaufen und wird deshalb bereits abgelehnt. Das Anhalten ändert nichts.
pause-predecessors = Was dieses Token ersetzt hat, wird ebenfalls angehalten.
pause-children =
    { $count ->
        [one] { $count } Token, das damit angelegt wurde, gilt weiter.
       *[other] { $count } Token, die damit angelegt wurden, gelten weiter.
    }
pause-token = Anhalten
paused = „{ $name }“ ist angehalten.
paused-children =
    { $count ->
        [one] Noch gültig: { $count } Token, das mit dem Angehaltenen angelegt wurde.
       *[other] Noch gültig: { $count } Token, die mit dem Angehaltenen angelegt wurden.
    }
resume-question = „{ $name }“ fortsetzen?
resume-consequence = Was dieses Token benutzt, wird wieder angenommen.
resume-expired = Dieses Token ist abgelaufen und wird deshalb weiter abgelehnt.
resume-refused = Dieses Token wurde von der Administration angehalten. Nur sie kann es fortsetzen.
resume-token = Fortsetzen
resumed = „{ $name }“ ist nicht mehr angehalten.
edit-token = Token bearbeiten
save = Speichern
changed = „{ $name }“ wurde geändert.

## Der Ersatz eines Tokens

replace-question = „{ $name }“ ersetzen
replace-explanation = Sie erhalten ein neues Token mit demselben Namen, derselben Beschreibung und denselben Berechtigungen. Setzen Sie es überall ein, wo das alte benutzt wird.
replaced-before = Dieses Token wurde schon einmal ersetzt. Ersetzen Sie es nur dann noch einmal, wenn das neue Token verloren ging: beide gelten dann bis
replace-expired = Dieses Token ist abgelaufen und kann nicht mehr ersetzt werden. Legen Sie ein neues an.
replace-paused = Dieses Token oder eines, das es ersetzt hat oder das es ersetzt, ist angehalten. Es kann ersetzt werden, sobald es fortgesetzt ist.
replace-itself-only = Ein Token kann nur sich selbst ersetzen. Melden Sie sich an, um ein anderes zu ersetzen.
overlap-label = Das alte Token gilt
no-overlap = Nicht länger: es wird sofort abgelehnt
overlap = Noch { $span }, bis
overlap-until-expiry = Bis es abläuft,
overlap-missing = Wählen Sie, wie lange das alte Token noch gilt.
new-expiry-label = Das neue Token läuft ab nach
own-expiry = { $span }, wie das alte
own-expiry-never = Nie, wie das alte
replace-token = Token ersetzen
old-works-until = Das alte Token gilt bis
old-ended = Das alte Token wird ab sofort abgelehnt.
use-new = Setzen Sie das neue überall ein, wo das alte benutzt wird.
revoke-old = Altes Token widerrufen
replaced-already = Dieses Token wurde bereits ersetzt
replaced-already-hint = Das Formular wurde zweimal gesendet; beim zweiten Mal ist nichts geschehen. Das Geheimnis wurde nur einmal angezeigt, in der ersten Antwort. Wenn Sie es nicht haben, ersetzen Sie das neue Token.
new-token-named = Das neue Token „{ $name }“

## Ein neues Token

new-token = Ein Token anlegen
name-label = Name
name-hint =
    { $max ->
        [one] Sagen Sie, was es benutzen wird, zum Beispiel „Sicherungsskript“. Höchstens { $max } Zeichen.
       *[other] Sagen Sie, was es benutzen wird, zum Beispiel „Sicherungsskript“. Höchstens { $max } Zeichen.
    }
name-taken = Sie haben bereits ein Token mit diesem Namen.
open-form-again = Zurück zum Formular
description-label = Beschreibung (freiwillig)
description-hint =
    { $max ->
        [one] Was Sie sich dazu merken möchten. Höchstens { $max } Zeichen.
       *[other] Was Sie sich dazu merken möchten. Höchstens { $max } Zeichen.
    }
expiry-label = Läuft ab nach
expiry-hint =
    { $may_be_eternal ->
        [yes] Höchstens { $max_days ->
            [one] { $max_days } Tag
           *[other] { $max_days } Tage
        }, oder nie.
       *[no] Höchstens { $max_days ->
            [one] { $max_days } Tag
           *[other] { $max_days } Tage
        }.
    }{ $is_announced ->
        [yes] { " " }Wir schreiben Ihnen eine Mail, bevor es abläuft.
       *[no] { "" }
    }
other-days = Eigene Wahl…
days-label = Tage, 1 bis { $max }
on-date = An einem Datum
date-label = Datum, an dem es abläuft, zu der Uhrzeit, zu der es angelegt wurde
no-expiry = Nie
no-expiry-warning = Ein Token, das nie abläuft, gilt, bis Sie es widerrufen, auch wenn es verloren geht.
will-expire = Das Token läuft am { $time } ab.
will-not-expire = Das Token läuft nie ab.
expiry-missing = Wählen Sie, wann das Token abläuft.
days-unreadable = Geben Sie eine ganze Zahl von Tagen ein, von 1 bis { $max }.
date-unreadable = Geben Sie ein Datum ein, zum Beispiel 2030-12-31.
date-not-future = Wählen Sie ein Datum nach dem heutigen.
date-too-far =
    { $max ->
        [one] Wählen Sie ein Datum, das höchstens { $max } Tag entfernt ist.
       *[other] Wählen Sie ein Datum, das höchstens { $max } Tage entfernt ist.
    }
scopes-hint = Was das Token darf, soweit Sie selbst es dürfen.
unrestricted-hint = Das Token darf alles, was Sie dürfen.
default-scopes = Standard
read-only = Nur lesen
chosen-scopes = Nur die Berechtigungen, die Sie auswählen
scope-description =
    { $scope ->
        [read] Alles lesen
        [write] Lesen und schreiben
        [tokens-read] Ihre Zugriffstoken ansehen
        [tokens-write] Ihre Zugriffstoken ansehen, anlegen und widerrufen
        [tokens-admin] Als Administrator die Zugriffstoken aller Benutzer ansehen und widerrufen
       *[other] { $description }
    }
scope-includes = Enthält { $scopes }.
scopes-missing = Wählen Sie mindestens eine Berechtigung.
scopes-ambiguous = Sie haben etwas anderes gewählt, aber einige Berechtigungen sind angekreuzt. Behalten Sie nur diese, oder entfernen Sie die Kreuze.
no-scope-allowed = Sie dürfen einem Token keine Berechtigung geben und können deshalb keines anlegen. Fragen Sie die Administration, wenn Sie eines brauchen.
created-already = Dieses Token wurde bereits angelegt
created-already-hint = Das Formular wurde zweimal gesendet; beim zweiten Mal wurde nichts angelegt. Das Geheimnis wurde nur einmal angezeigt, in der ersten Antwort. Wenn Sie es nicht haben, widerrufen Sie das Token und legen Sie ein anderes an.
create-another = Weiteres anlegen

## Das angelegte Token

token-created = Ihr neues Token
shown-once = Kopieren Sie das Token jetzt. Es wird nur dieses eine Mal angezeigt und lässt sich später nicht nachsehen.
plain-token = Token „{ $name }“
copy = Kopieren
copied = Kopiert
copy-failed = Markiert; drücken Sie Strg+C oder ⌘C
not-printed = Das Token wird nicht gedruckt. Bewahren Sie es in einem Passwortmanager oder Geheimnisspeicher auf.
namesake = Sie haben ein weiteres Token mit diesem Namen.
examples-title = So wird es benutzt
example-shell-hint = Führen Sie dies in bash oder zsh aus. Wenn es wartet, fügen Sie das Token ein, das dabei nicht zu sehen ist, und drücken Sie die Eingabetaste. So gerät das Token weder in den Verlauf der Shell noch in die Liste der Prozesse.
example-python-hint = Führen Sie dies mit Python 3 aus. Es fragt nach dem Token und zeigt es nicht an.
example-ci = CI-Variable
example-ci-hint = Speichern Sie das Token in den Einstellungen Ihres CI-Systems als geheime Variable mit dem Namen { $variable }, die Protokolle verdecken. Dann kann ein Job es benutzen:
back-to-tokens = Zurück zu Ihren Token
plain-token-gone = (wird nicht mehr angezeigt)

## Die Token aller Benutzer

administration-introduction = Die Token aller Benutzer ansehen und widerrufen. Niemand, auch nicht die Administration, kann die Token selbst sehen oder benutzen.
owner = Inhaber
filter = Filter
owner-hint = Name oder Mailadresse
owner-unreadable = So kann kein Benutzer heißen.
status-unreadable = Wählen Sie einen von diesen.
day-before-start = Das Ende liegt vor dem Anfang.
any-status = Alle außer widerrufenen
scope-unreadable = Wählen Sie eine von diesen.
any-scope = Beliebig
from = Von
to = Bis
from-named = { $what }, von
to-named = { $what }, bis
dates-in = Tage in { $zone }, beide eingeschlossen.
apply = Anwenden
clear-filter = Zurücksetzen
found =
    { $count ->
        [one] { $count } Token
       *[other] { $count } Token
    }
nothing-found = Kein Token passt zum Filter.
sort-by = Sortieren nach:
select-page = Alle auf dieser Seite auswählen
select-named = { $name } auswählen
selected = Ausgewählt:
revoked-by = von
revoke-selected = Ausgewählte widerrufen…
revoke-found = Alle { $count } passenden widerrufen…
revoke-all-found = Alle passenden widerrufen…
page-selected = Alle { $count } auf dieser Seite sind ausgewählt.
select-found = Alle { $count } passenden auswählen
select-all-found = Alle passenden auswählen
found-selected = Alle { $count } passenden sind ausgewählt.
all-found-selected = Alle passenden sind ausgewählt.
clear-selection = Auswahl aufheben
revoke-found-hint = Um alle passenden zu widerrufen, setzen Sie zuerst einen Filter.
next-page = Nächste Seite
first-page = Erste Seite
export = Als CSV exportieren
table-label = Token aller Benutzer
nothing-selected = Wählen Sie mindestens ein Token aus, das noch nicht widerrufen ist.
revoke-many-question =
    { $count ->
        [one] { $count } Token widerrufen?
       *[other] { $count } Token widerrufen?
    }
revoke-many-consequence =
    { $is_notified ->
        [yes] Was sie benutzt, wird ab sofort abgelehnt, und ihre Inhaber werden benachrichtigt. Das lässt sich nicht rückgängig machen.
       *[no] Was sie benutzt, wird ab sofort abgelehnt. Das lässt sich nicht rückgängig machen.
    }
reason-label = Grund (freiwillig)
reason-hint =
    { $is_notified ->
        [yes] Die Inhaber lesen ihn in der Benachrichtigung.
       *[no] Er wird mit dem Ereignis aufbewahrt.
    } { $max ->
        [one] Höchstens { $max } Zeichen.
       *[other] Höchstens { $max } Zeichen.
    }
reason-too-long =
    { $max ->
        [one] Kürzen Sie den Grund auf { $max } Zeichen.
       *[other] Kürzen Sie den Grund auf { $max } Zeichen.
    }
count-changed =
    { $count ->
        [one] Es wurde nichts widerrufen: inzwischen passt eine andere Zahl von Token zum Filter, nämlich jetzt { $count } Token. Prüfen und bestätigen Sie noch einmal.
       *[other] Es wurde nichts widerrufen: inzwischen passt eine andere Zahl von Token zum Filter, nämlich jetzt { $count } Token. Prüfen und bestätigen Sie noch einmal.
    }
revoked-many =
    { $count ->
        [one] Widerrufen: { $count } Token.
       *[other] Widerrufen: { $count } Token.
    }
cursor-unreadable = Diese Seite der Liste gibt es nicht. Hier ist die erste.

## Fehler: ein Titel und darunter ein Rat

not-signed-in = Sie sind nicht angemeldet
not-signed-in-hint = Melden Sie sich an, und öffnen Sie diese Seite noch einmal.
not-found = Nicht gefunden
not-found-hint = Eine solche Seite oder ein solches Token gibt es nicht. Vielleicht wurde es inzwischen widerrufen oder gelöscht.
forbidden = Nur für die Administration
forbidden-hint = Fragen Sie die Administration, wenn Sie dies brauchen.
insufficient-scope = Das Zugriffstoken erlaubt dies nicht
insufficient-scope-hint = Benutzen Sie ein Token mit der Berechtigung { $scope }.
form-refused = Dieses Formular kann nicht mehr gesendet werden
form-refused-hint = Es ist nichts geschehen. Vielleicht haben Sie sich neu angemeldet, seit das Formular geöffnet wurde, oder es kam von einer anderen Website. Öffnen Sie die Seite noch einmal, und wiederholen Sie, was Sie getan haben.
bad-request = Das hat nicht geklappt
bad-request-hint = Was der Browser gesendet hat, ist nicht zu verstehen. Es ist nichts geschehen. Öffnen Sie die Seite noch einmal.
not-supported = Hier nicht verfügbar
not-supported-hint = Diese Installation bewahrt ihre Token so auf, dass sie sich nicht durchsuchen lassen.
unavailable = Vorübergehend nicht erreichbar
unavailable-hint = Darauf gibt es gerade keine Antwort. Versuchen Sie es gleich noch einmal. Falls Sie etwas ändern wollten, sehen Sie zuerst nach, ob es geschehen ist.

## Regeln für Token

refused-disabled = Persönliche Zugriffstoken sind ausgeschaltet.
refused-forbidden-by-token = Mit einem Token kann kein Token angelegt werden. Melden Sie sich stattdessen an.
refused-rotation-forbidden-by-token = Ein Token kann sich nicht selbst ersetzen. Melden Sie sich stattdessen an.
refused-name-blank = Der Name ist leer. Geben Sie dem Token einen Namen mit einem sichtbaren Zeichen.
refused-name-too-long =
    { $max ->
        [one] Der Name ist länger als { $max } Zeichen.
       *[other] Der Name ist länger als { $max } Zeichen.
    }
refused-name-has-control-character = Der Name enthält ein Steuerzeichen oder einen Zeilenumbruch. Schreiben Sie ihn in eine Zeile.
refused-name-has-bidi-control = Der Name enthält ein unsichtbares Zeichen, das die Schreibrichtung ändert, zum Beispiel U+202E. Lassen Sie es weg.
refused-description-too-long =
    { $max ->
        [one] Die Beschreibung ist länger als { $max } Zeichen.
       *[other] Die Beschreibung ist länger als { $max } Zeichen.
    }
refused-description-has-control-character = Die Beschreibung enthält ein Steuerzeichen oder einen Zeilenumbruch. Schreiben Sie sie in eine Zeile.
refused-description-has-bidi-control = Die Beschreibung enthält ein unsichtbares Zeichen, das die Schreibrichtung ändert, zum Beispiel U+202E. Lassen Sie es weg.
refused-duration-not-positive = Das Token muss mindestens einen Tag gelten.
refused-duration-too-short = Das Token muss mindestens 60 Sekunden gelten.
refused-duration-too-long =
    { $max ->
        [one] Das Token darf höchstens { $max } Tag gelten.
       *[other] Das Token darf höchstens { $max } Tage gelten.
    }
refused-eternal-not-allowed = Token, die nie ablaufen, sind nicht erlaubt. Wählen Sie, wann es abläuft.
refused-no-overlap = Ein Token, das sich selbst ersetzt, muss mindestens eine Sekunde weiter gelten, für einen weiteren Versuch, falls die Antwort verloren geht.
refused-overlap-too-long =
    { $max ->
        [one] Das alte Token darf höchstens { $max } Sekunde weiter gelten.
       *[other] Das alte Token darf höchstens { $max } Sekunden weiter gelten.
    }
refused-outlives-parent = Das Token würde später ablaufen als das Token, mit dem es angelegt wird. Wählen Sie eine kürzere Zeit.
refused-no-scope = Wählen Sie mindestens eine Berechtigung.
refused-unknown-scope = Eine der Berechtigungen wird nicht mehr angeboten. Wählen Sie noch einmal.
refused-duplicate-scope = Eine Berechtigung kommt zweimal vor. Wählen Sie jede nur einmal.
refused-scopes-required = Token ohne Einschränkung sind nicht erlaubt. Wählen Sie mindestens eine Berechtigung.
refused-scope-exceeds-parent = Das Token, mit dem diese Anfrage gestellt wurde, erlaubt nicht alle diese Berechtigungen. Ein Token kann kein Token anlegen, das mehr darf.
refused-scope-not-allowed = Sie dürfen kein Token mit diesen Berechtigungen oder ohne Berechtigungen anlegen. Wählen Sie unter den angebotenen.
refused-older-nodes = Dies geht nicht, solange noch eine ältere Version dieses Dienstes läuft. Versuchen Sie es später noch einmal.
refused-too-many-rows =
    { $days ->
        [0] Sie haben zu viele Token angelegt: höchstens { $max } werden aufbewahrt, widerrufene und abgelaufene mitgezählt. Jedes wird bald nach seinem Ende gelöscht; dann können Sie ein weiteres anlegen.
        [one] Sie haben zu viele Token angelegt: höchstens { $max } werden aufbewahrt, widerrufene und abgelaufene mitgezählt. Jedes wird { $days } Tag nach seinem Ende gelöscht; dann können Sie ein weiteres anlegen.
       *[other] Sie haben zu viele Token angelegt: höchstens { $max } werden aufbewahrt, widerrufene und abgelaufene mitgezählt. Jedes wird { $days } Tage nach seinem Ende gelöscht; dann können Sie ein weiteres anlegen.
    }
refused-parent-invalid = Das Token, mit dem diese Anfrage gestellt wurde, ist nicht mehr gültig.
refused-enable-by-token = Ein Token setzt nur Token fort, die es anlegen dürfte, und dieses dürfte es nicht anlegen. Melden Sie sich stattdessen an.
refused-other = So kann das Token nicht angelegt oder geändert werden.

## Mails: was mehrere Arten haben

mail-greeting = Guten Tag { $name },
mail-greeting-nameless = Guten Tag,
mail-quoted = „{ $name }“
mail-labelled = { $label }:
mail-expired-label = Abgelaufen
mail-ends-label = Altes endet
mail-never = nie
mail-no-scopes = keine
mail-more = und { $more } weitere
mail-when =
    { $days ->
        [soon] bald
        [0] heute
        [1] morgen
       *[other] in { $days } Tagen
    }
mail-review = Ihre Token ansehen
mail-review-line = Ihre Token:
mail-replace = Dieses Token ersetzen…
mail-replace-line = Ersetzen:
mail-create = Neues Token anlegen
mail-create-line = Neues anlegen:
mail-address = Oder öffnen Sie diese Adresse:
mail-footer = { $product } hat diese Mail automatisch gesendet, weil sie Ihre persönlichen Zugriffstoken betrifft. Sie enthält kein Geheimnis, und wir fragen nie per Mail nach Ihren Token oder Ihrem Passwort.
mail-still-needed =
    { $count ->
        [1] Brauchen Sie es noch?
       *[other] Brauchen Sie sie noch?
    }
mail-not-needed =
    { $count ->
        [1] Wenn Sie es nicht mehr brauchen, ist nichts zu tun.
       *[other] Wenn Sie sie nicht mehr brauchen, ist nichts zu tun.
    }
mail-final =
    { $count ->
        [1] Es gilt nicht mehr, und das lässt sich nicht rückgängig machen.
       *[other] Sie gelten nicht mehr, und das lässt sich nicht rückgängig machen.
    }

## Mails: jede Art

mail-created-subject =
    { $count ->
        [1] Ein Token „{ $name }“ wurde für Ihr Konto angelegt
       *[other] { $count } Token wurden für Ihr Konto angelegt
    }
mail-created-heading =
    { $count ->
        [1] Ein Token wurde für Ihr Konto angelegt
       *[other] { $count } Token wurden für Ihr Konto angelegt
    }
mail-created-preheader =
    { $count ->
        [1] Wenn Sie das nicht waren, widerrufen Sie es sofort.
       *[other] Wenn Sie das nicht waren, widerrufen Sie sie sofort.
    }
mail-created-text =
    { $count ->
        [1] { $scoped ->
            [yes] Ein persönliches Zugriffstoken wurde angelegt. Wer es hat, kann in Ihrem Namen handeln, soweit seine Berechtigungen reichen, bis es abläuft oder widerrufen wird.
           *[no] Ein persönliches Zugriffstoken wurde angelegt. Wer es hat, kann in Ihrem Namen handeln, bis es abläuft oder widerrufen wird.
        }
       *[other] { $count } persönliche Zugriffstoken wurden angelegt. Wer eines davon hat, kann in Ihrem Namen handeln, bis es abläuft oder widerrufen wird.
    }
mail-created-done = Wenn Sie das waren, ist nichts zu tun.
mail-created-question = Waren Sie das nicht?
mail-created-answer =
    { $count ->
        [1] Widerrufen Sie das Token sofort, ändern Sie Ihr Passwort, und sagen Sie es Ihrer Administration.
       *[other] Widerrufen Sie die Token sofort, ändern Sie Ihr Passwort, und sagen Sie es Ihrer Administration.
    }
mail-expires-soon-subject =
    { $count ->
        [1] { $date ->
            [none] Ihr Token „{ $name }“ läuft bald ab
           *[other] Ihr Token „{ $name }“ läuft am { $date } ab
        }
       *[other] { $count } Ihrer Token laufen bald ab
    }
mail-expires-soon-heading =
    { $count ->
        [1] Ihr Token läuft { mail-when } ab
       *[other] { $count } Ihrer Token laufen bald ab
    }
mail-expires-soon-preheader =
    { $count ->
        [1] Danach funktionieren Skripte und Programme nicht mehr, die es benutzen.
       *[other] Danach funktionieren Skripte und Programme nicht mehr, die sie benutzen.
    }
mail-expires-soon-text =
    { $count ->
        [1] Eines Ihrer persönlichen Zugriffstoken läuft { mail-when } ab. Danach funktionieren Skripte und Programme nicht mehr, die es benutzen.
       *[other] { $count } Ihrer persönlichen Zugriffstoken laufen bald ab. Danach funktionieren Skripte und Programme nicht mehr, die sie benutzen.
    }
mail-expires-soon-create =
    { $count ->
        [1] Ein Token lässt sich nicht verlängern. Legen Sie ein neues an, setzen Sie es überall ein, wo das alte benutzt wird, und widerrufen Sie dann das alte.
       *[other] Ein Token lässt sich nicht verlängern. Legen Sie neue an, setzen Sie sie überall ein, wo die alten benutzt werden, und widerrufen Sie dann die alten.
    }
mail-expires-soon-replace =
    { $count ->
        [1] Ein Token lässt sich nicht verlängern. Ersetzen Sie es, und setzen Sie das neue überall ein, wo das alte benutzt wird. Das alte gilt noch eine Weile, bis zu der Zeit, die Sie wählen.
       *[other] Ein Token lässt sich nicht verlängern. Ersetzen Sie jedes auf der Seite mit Ihren Token, und setzen Sie die neuen überall ein, wo die alten benutzt werden. Die alten gelten noch eine Weile, bis zu der Zeit, die Sie wählen.
    }
mail-expired-subject =
    { $count ->
        [1] Ihr Token „{ $name }“ ist abgelaufen
       *[other] { $count } Ihrer Token sind abgelaufen
    }
mail-expired-heading =
    { $count ->
        [1] Ihr Token ist abgelaufen
       *[other] { $count } Ihrer Token sind abgelaufen
    }
mail-expired-preheader =
    { $count ->
        [1] Skripte und Programme funktionieren nicht mehr, die es benutzen.
       *[other] Skripte und Programme funktionieren nicht mehr, die sie benutzen.
    }
mail-expired-text =
    { $count ->
        [1] Eines Ihrer persönlichen Zugriffstoken ist abgelaufen. Skripte und Programme funktionieren nicht mehr, die es benutzen.
       *[other] { $count } Ihrer persönlichen Zugriffstoken sind abgelaufen. Skripte und Programme funktionieren nicht mehr, die sie benutzen.
    }
mail-expired-answer =
    { $count ->
        [1] Ein Token lässt sich nicht verlängern. Legen Sie ein neues an, und setzen Sie es überall ein, wo das alte benutzt wird.
       *[other] Ein Token lässt sich nicht verlängern. Legen Sie neue an, und setzen Sie sie überall ein, wo die alten benutzt werden.
    }
mail-pruned-subject =
    { $count ->
        [1] Ihr abgelaufenes Token „{ $name }“ wurde gelöscht
       *[other] { $count } Ihrer abgelaufenen Token wurden gelöscht
    }
mail-pruned-heading =
    { $count ->
        [1] Ihr abgelaufenes Token wurde gelöscht
       *[other] { $count } Ihrer abgelaufenen Token wurden gelöscht
    }
mail-pruned-preheader = Es ist nichts zu tun.
mail-pruned-text =
    { $count ->
        [1] Eines Ihrer persönlichen Zugriffstoken wurde gelöscht, weil es vor einiger Zeit abgelaufen ist.
       *[other] { $count } Ihrer persönlichen Zugriffstoken wurden gelöscht, weil sie vor einiger Zeit abgelaufen sind.
    }
mail-pruned-consequence =
    { $count ->
        [1] Es galt nicht mehr, seit es abgelaufen ist; jetzt ändert sich also nichts. In der Liste Ihrer Token steht es nicht mehr. Es ist nichts zu tun.
       *[other] Sie galten nicht mehr, seit sie abgelaufen sind; jetzt ändert sich also nichts. In der Liste Ihrer Token stehen sie nicht mehr. Es ist nichts zu tun.
    }
mail-revoked-by-admin-subject =
    { $count ->
        [1] Ihr Token „{ $name }“ wurde von der Administration widerrufen
       *[other] { $count } Ihrer Token wurden von der Administration widerrufen
    }
mail-revoked-by-admin-heading =
    { $count ->
        [1] Ihr Token wurde von der Administration widerrufen
       *[other] { $count } Ihrer Token wurden von der Administration widerrufen
    }
mail-revoked-by-admin-text =
    { $count ->
        [1] Die Administration hat eines Ihrer persönlichen Zugriffstoken widerrufen.
       *[other] Die Administration hat { $count } Ihrer persönlichen Zugriffstoken widerrufen.
    }
mail-revoked-by-admin-text-named =
    { $count ->
        [1] { $name } von der Administration hat eines Ihrer persönlichen Zugriffstoken widerrufen.
       *[other] { $name } von der Administration hat { $count } Ihrer persönlichen Zugriffstoken widerrufen.
    }
mail-revoked-by-admin-reason = Der angegebene Grund:
mail-revoked-by-admin-need =
    { $count ->
        [1] Skripte und Programme, die es benutzen, brauchen ein neues Token.
       *[other] Skripte und Programme, die sie benutzen, brauchen neue Token.
    }
mail-revoked-by-admin-ask = Wenn Sie nicht wissen, warum, fragen Sie Ihre Administration, bevor Sie ein neues anlegen.
mail-revoked-by-admin-live =
    { $live_children ->
        [one] { $count ->
            [1] { $live_children } Token, das mit dem widerrufenen angelegt wurde, gilt noch.
           *[other] { $live_children } Token, das mit den widerrufenen angelegt wurde, gilt noch.
        }
       *[other] { $count ->
            [1] { $live_children } Token, die mit dem widerrufenen angelegt wurden, gelten noch.
           *[other] { $live_children } Token, die mit den widerrufenen angelegt wurden, gelten noch.
        }
    }
mail-revoked-by-admin-revoke =
    { $live_children ->
        [1] Widerrufen Sie es ebenfalls, wenn Sie nicht wissen, wozu es dient.
       *[other] Widerrufen Sie sie ebenfalls, wenn Sie nicht wissen, wozu sie dienen.
    }
mail-rotated-again-subject =
    { $count ->
        [1] Ihr Token „{ $name }“ wurde zweimal ersetzt
       *[other] { $count } Ihrer Token wurden zweimal ersetzt
    }
mail-rotated-again-heading =
    { $count ->
        [1] Ihr Token wurde zweimal ersetzt
       *[other] { $count } Ihrer Token wurden zweimal ersetzt
    }
mail-rotated-again-preheader = Meist hat ein Programm es noch einmal versucht. Wenn Sie kein solches kennen, hat vielleicht jemand anders das Token.
mail-rotated-again-text =
    { $count ->
        [1] Eines Ihrer persönlichen Zugriffstoken wurde ersetzt, obwohl es schon ersetzt worden war. Dies ist das neue Token.
       *[other] { $count } Ihrer persönlichen Zugriffstoken wurden ersetzt, obwohl sie schon ersetzt worden waren. Dies sind die neuen Token.
    }
mail-rotated-again-harmless =
    { $count ->
        [1] Meist hat das Programm, das das Token ersetzt, die erste Antwort nicht erhalten und es noch einmal versucht. Dann ist nichts zu tun: das Token in der ersten Antwort endet mit dem alten.
       *[other] Meist hat das Programm, das ein Token ersetzt, die erste Antwort nicht erhalten und es noch einmal versucht. Dann ist nichts zu tun: die Token in den ersten Antworten enden mit den alten.
    }
mail-rotated-again-question = Kennen Sie kein solches Programm?
mail-rotated-again-answer =
    { $count ->
        [1] Dann hat vielleicht jemand anders das Token. Widerrufen Sie das neue Token mit allem, was dazugehört, und legen Sie ein anderes an.
       *[other] Dann hat vielleicht jemand anders die Token. Widerrufen Sie die neuen Token mit allem, was dazugehört, und legen Sie andere an.
    }
mail-replaced-in-use-subject =
    { $count ->
        [1] Ihr ersetztes Token „{ $name }“ wird noch benutzt
       *[other] { $count } Ihrer ersetzten Token werden noch benutzt
    }
mail-replaced-in-use-heading =
    { $count ->
        [1] Ihr ersetztes Token wird noch benutzt
       *[other] { $count } Ihrer ersetzten Token werden noch benutzt
    }
mail-replaced-in-use-text =
    { $count ->
        [1] Sie haben eines Ihrer persönlichen Zugriffstoken ersetzt, aber das alte wurde kurz vor seinem Ende noch benutzt.
       *[other] Sie haben { $count } Ihrer persönlichen Zugriffstoken ersetzt, aber die alten wurden kurz vor ihrem Ende noch benutzt.
    }
mail-replaced-in-use-refused =
    { $count ->
        [1] Danach werden Skripte und Programme abgelehnt, die das alte benutzen.
       *[other] Danach werden Skripte und Programme abgelehnt, die die alten benutzen.
    }
mail-replaced-in-use-answer =
    { $count ->
        [1] Setzen Sie das neue Token überall ein, wo das alte benutzt wird.
       *[other] Setzen Sie die neuen Token überall ein, wo die alten benutzt werden.
    }
mail-unused-warning-subject =
    { $count ->
        [1] Ihr Token „{ $name }“ wird widerrufen, weil es nicht benutzt wird
       *[other] { $count } Ihrer Token werden widerrufen, weil sie nicht benutzt werden
    }
mail-unused-warning-heading =
    { $count ->
        [1] Ihr Token wird widerrufen, weil es nicht benutzt wird
       *[other] { $count } Ihrer Token werden widerrufen, weil sie nicht benutzt werden
    }
mail-unused-warning-text =
    { $count ->
        [1] Sie haben eines Ihrer persönlichen Zugriffstoken lange nicht benutzt. Es wird am { $revoked_from } oder später widerrufen.
       *[other] Sie haben { $count } Ihrer persönlichen Zugriffstoken lange nicht benutzt. Sie werden am { $revoked_from } oder später widerrufen.
    }
mail-unused-warning-answer =
    { $count ->
        [1] Wenn Sie es noch brauchen, benutzen Sie es vor dem { $revoked_from }.
       *[other] Wenn Sie sie noch brauchen, benutzen Sie jedes vor dem { $revoked_from }.
    }
mail-unused-revoked-subject =
    { $count ->
        [1] Ihr Token „{ $name }“ wurde widerrufen, weil es nicht benutzt wurde
       *[other] { $count } Ihrer Token wurden widerrufen, weil sie nicht benutzt wurden
    }
mail-unused-revoked-heading =
    { $count ->
        [1] Ihr Token wurde widerrufen, weil es nicht benutzt wurde
       *[other] { $count } Ihrer Token wurden widerrufen, weil sie nicht benutzt wurden
    }
mail-unused-revoked-text =
    { $count ->
        [1] { $unused_days ->
            [0] Eines Ihrer persönlichen Zugriffstoken wurde widerrufen, weil Sie es lange nicht benutzt hatten.
            [one] Eines Ihrer persönlichen Zugriffstoken wurde widerrufen, weil es { $unused_days } Tag nicht benutzt wurde.
           *[other] Eines Ihrer persönlichen Zugriffstoken wurde widerrufen, weil es { $unused_days } Tage nicht benutzt wurde.
        }
       *[other] { $unused_days ->
            [0] { $count } Ihrer persönlichen Zugriffstoken wurden widerrufen, weil Sie sie lange nicht benutzt hatten.
            [one] { $count } Ihrer persönlichen Zugriffstoken wurden widerrufen, weil sie { $unused_days } Tag nicht benutzt wurden.
           *[other] { $count } Ihrer persönlichen Zugriffstoken wurden widerrufen, weil sie { $unused_days } Tage nicht benutzt wurden.
        }
    }
mail-unused-revoked-answer = Wenn Sie wieder ein Token brauchen, legen Sie ein neues an.
mail-rotated-again-address = Die Anfrage kam von der Netzadresse { $client_address }.

## Listen mit Seiten

range = { $first }–{ $last } von { $total }
range-of-many = { $first }–{ $last } von mehr als { $least }
previous-page = Vorige Seite
search-label = Namen und Beschreibungen durchsuchen
search = Suchen
show-revoked = Widerrufene Token anzeigen
hide-revoked = Widerrufene Token ausblenden
no-token-found = Keines Ihrer Token passt.
by-administrator = von der Administration
selected-elsewhere = ({ $count } nicht auf dieser Seite)
too-many-selected = Wählen Sie höchstens { $max } Token einzeln aus. Um mehr zu widerrufen, setzen Sie einen Filter, zu dem sie passen.
filter-count = { filter } ({ $count })
quick-filters = Schnellfilter
quick-never-used = Nie benutzt
quick-unused =
    { $days ->
        [one] Seit { $days } Tag unbenutzt
       *[other] Seit { $days } Tagen unbenutzt
    }
quick-never-expires = Läuft nie ab
quick-expires-within =
    { $days ->
        [one] Läuft in { $days } Tag ab
       *[other] Läuft in { $days } Tagen ab
    }
quick-owner-inactive = Inhaber nicht aktiv
quick-unreadable = Diesen Schnellfilter gibt es nicht.
owners-incomplete = Es gibt mehr Inhaber, als nachgesehen wurden; Token anderer inaktiver Inhaber können also fehlen.
owner-inactive = Nicht aktiv
owner-missing = Kein Benutzer mehr
revoke-count =
    { $count ->
        [one] { $count } Token widerrufen
       *[other] { $count } Token widerrufen
    }
type-count = Geben Sie zur Bestätigung die Zahl der Token ein: { $count }
count-mistyped = Geben Sie { $count } ein, die Zahl der Token, die widerrufen werden.

## Die Seiten der Administration

administration-pages = Administration
overview = Überblick
all-tokens = Alle Token
identify = Wessen Token ist das?
unused-tokens = Unbenutzte Token
undelivered = Unzustellbare Mails

## Die Seite über ein Token

history = Verlauf
when = Wann
happened = Ereignis
done-by = Durch
client = Client
you = Sie
an-administrator = Die Administration
automatically = Automatisch
created-with = Angelegt mit
imported-label = Importiert
replaced-label = Ersetzt
paused-label = Angehalten
revoked-label = Widerrufen
reason = Grund
replacements = Ersetzungen
this-token = dieses Token
children = Mit diesem Token angelegt
if-revoked = Wenn dieses Token widerrufen wird
ends-alone = Kein anderes Token wird mit ihm widerrufen.
ends-too =
    { $count ->
        [one] { $count } anderes Token wird mit ihm widerrufen:
       *[other] { $count } andere Token werden mit ihm widerrufen:
    }
family-ends =
    { $count ->
        [one] { $count } verwandtes Token gilt weiter, wenn es nicht ebenfalls widerrufen wird:
       *[other] { $count } verwandte Token gelten weiter, wenn sie nicht ebenfalls widerrufen werden:
    }
and-more = und { $count } weitere
earlier-events = Frühere Ereignisse
latest-events = Neueste Ereignisse
no-events = Es ist kein Ereignis verzeichnet.
no-history = Diese Installation bewahrt keinen Verlauf auf.
deleted-token = Gelöschtes Token { $id }
deleted-note = Dieses Token ist gelöscht. Übrig sind seine Ereignisse.
deleted-label = Gelöscht
event =
    { $kind ->
        [created] Angelegt
        [created-with] Mit einem anderen Token angelegt
        [imported] Importiert
        [rotated] Angelegt, um ein anderes Token zu ersetzen
        [replaced] Durch ein neues Token ersetzt
        [first-used] Zum ersten Mal benutzt
        [revoked] Widerrufen
        [disabled] Angehalten
        [enabled] Fortgesetzt
        [changed] Name oder Beschreibung geändert
        [pruned] Gelöscht
       *[other] { $kind }
    }
event-refused =
    { $count ->
        [one] Abgelehnt: { $reason }
       *[other] { $count }-mal abgelehnt: { $reason }
    }
refusal =
    { $reason ->
        [expired] es war abgelaufen
        [revoked] es war widerrufen
        [token_disabled] es war angehalten
        [owner_inactive] der Inhaber war nicht aktiv
        [owner_gone] der Inhaber war unbekannt
        [owner_absent] der Inhaber war zu lange abwesend
       *[other] { $reason }
    }
event-notified = Inhaber benachrichtigt: { $notice }
notice =
    { $kind ->
        [created] Token angelegt
        [expires-soon] läuft bald ab
        [expired] abgelaufen
        [pruned] gelöscht
        [revoked-by-admin] von der Administration widerrufen
        [rotated-again] noch einmal ersetzt
        [replaced-in-use] ersetzt, aber noch benutzt
        [unused-warning] unbenutzt, wird widerrufen
        [unused-revoked] widerrufen, weil unbenutzt
       *[other] { $kind }
    }
revoke-ask = Widerrufen…
admin-pause-consequence = Was dieses Token benutzt, wird abgelehnt, bis die Administration es fortsetzt. Es läuft währenddessen ab wie bisher.

## Wessen Token ein Geheimnis ist

identify-introduction = Fügen Sie ein Token ein, das gefunden wurde, zum Beispiel in einem Protokoll oder einem Repository. Es wird nachgesehen und dann vergessen: weder gespeichert noch protokolliert.
secret = Token
find = Nachsehen
secret-missing = Fügen Sie das Token ein.
secret-malformed = Dies ist kein Token dieses Dienstes. Prüfen Sie, ob es vollständig kopiert wurde und nichts anderes dabei ist.
secret-unknown = Ein solches Token gibt es nicht. Vielleicht wurde es gelöscht, was einige Zeit nach seinem Ablauf oder Widerruf geschieht, oder es gehört zu einer anderen Installation.
secret-of = Dieses Token gehört { $name }.
secret-valid = Es ist gültig. Wenn andere es gesehen haben, widerrufen Sie es.
secret-expired = Es ist abgelaufen und wird deshalb abgelehnt.
secret-revoked = Es ist widerrufen und wird deshalb abgelehnt.
secret-paused = Es ist angehalten und wird abgelehnt, bis es fortgesetzt wird. Wenn andere es gesehen haben, widerrufen Sie es.

## Der Überblick der Administration

live-tokens = Gültige Token
revoked-within =
    { $days ->
        [one] Am letzten Tag widerrufen
       *[other] In den letzten { $days } Tagen widerrufen
    }
offenders = Nach den heutigen Regeln nicht erlaubt
no-offenders = Die heutigen Regeln würden jedes gültige Token erlauben.
offending-eternal = Laufen nie ab, obwohl neue Token es müssen
offending-life =
    { $days ->
        [one] Gelten länger als { $days } Tag
       *[other] Gelten länger als { $days } Tage
    }
offending-scopes = Uneingeschränkt, obwohl neue Token Berechtigungen brauchen
expiries-ahead = Bevorstehende Abläufe
expiries-summary =
    { $count ->
        [one] { $count } Token läuft innerhalb von { $weeks } Wochen ab.
       *[other] { $count } Token laufen innerhalb von { $weeks } Wochen ab.
    }
week-from = Woche ab
tokens-head = Token
as-table = Als Tabelle
upkeep = Pflege
unused-off = Token werden nie widerrufen, nur weil sie nicht benutzt werden.
unused-on =
    { $days ->
        [one] Token, die { $days } Tag nicht benutzt werden, werden nach einer Warnung widerrufen.
       *[other] Token, die { $days } Tage nicht benutzt werden, werden nach einer Warnung widerrufen.
    }
undelivered-count =
    { $count ->
        [one] { $count } Mail konnte nicht zugestellt werden.
       *[other] { $count } Mails konnten nicht zugestellt werden.
    }

## Unbenutzte Token

unused-introduction = Gültige Token, die seit einigen Tagen nichts benutzt hat, die am längsten unbenutzten zuerst. Ein Token, das nie benutzt wurde, zählt ab seiner Anlage. Token, die bald von selbst enden, sind nicht dabei.
unused-days = So viele Tage nicht benutzt
unused-days-wrong = Geben Sie eine ganze Zahl von Tagen ein, von 1 bis { $max }.
show-unused = Anzeigen
unused-count =
    { $live ->
        [one] { $count } von { $live } gültigen Token
       *[other] { $count } von { $live } gültigen Token
    }
unused-too-many = Das ist mehr als die Hälfte aller gültigen Token. Solange das so ist, wird keines davon von selbst widerrufen.

## Unzustellbare Mails

undelivered-introduction = Mails an Inhaber, die nicht zugestellt werden konnten und nicht von selbst noch einmal versucht werden. Beheben Sie die Ursache, und senden Sie sie dann noch einmal.
no-undelivered = Jede Mail wurde zugestellt oder ist unterwegs.
undelivered-shown =
    { $count ->
        [one] { $count } Mail
       *[other] { $count } Mails, davon die neuesten { $shown }
    }
undelivered-all =
    { $count ->
        [one] { $count } Mail
       *[other] { $count } Mails
    }
notice-head = Anlass
attempts = Versuche
last-error = Letzter Fehler
queued = Seit
send-again = Noch einmal senden
send-again-named = Noch einmal an { $name } senden: { $notice }
sent-again = Die Mail ist wieder in der Warteschlange.
send-all = Alle noch einmal senden…
send-all-question =
    { $count ->
        [one] { $count } Mail noch einmal senden?
       *[other] { $count } Mails noch einmal senden?
    }
send-all-consequence = Alle Mails, die nicht zugestellt werden konnten, werden sofort noch einmal gesendet. Beheben Sie vorher, was die Zustellung verhindert hat.
sent-all-again =
    { $count ->
        [one] { $count } Mail ist wieder in der Warteschlange.
       *[other] { $count } Mails sind wieder in der Warteschlange.
    }
not-undelivered = Diese Mail ist schon wieder in der Warteschlange oder gelöscht.
