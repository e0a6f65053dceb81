"""Short and familiar forms of given names, each line one name: whoever looks for "Lupe" finds Guadalupe.

As `name_words.plain_words` writes them: lower case, without accents. A form may stand in one line alone; the common
English and Spanish ones are here, and a line more is a line more.
"""

from __future__ import annotations

_GROUPS = """
alejandra sandra ale alexandra alexa
alejandro alex alexander sasha
antonio tono anthony tony
beatriz bety betty
carolina caro carolyn
catherine cathy kate katie kathy catalina cata katherine
christina tina cristina cris chris
concepcion concha conchita
consuelo chelo
dolores lola lolita
eduardo lalo eddie edward ed
elizabeth liz beth eliza lizzie isabel chabela isabella bella
enrique kike henry quique
ernesto neto ernie ernest
esperanza lancha
fernanda fer
francisca paca panchita
francisco paco pancho frank francis
gabriela gaby gabi gabrielle
graciela chela
gregorio goyo gregory greg
guadalupe lupe lupita
guillermo memo william bill will billy
ignacio nacho
jennifer jenny jen
jesus chucho chuy
joaquin quino
jose pepe joseph joe chepe
josefina fina pepita josephine
juan juanito john johnny
luz lucecita
manuel manny manolo
margarita mago margaret maggie meg peggy rita
maria mari mary marie mariana
mercedes meche
michael mike miguel
nicolas nico nicholas nick
patricia patty pati pat tricia
rafael rafa
ramon moncho ray raymond
refugio cuca
roberto beto robert bob rob bobby
rosario chayo
rosa rosita rose
salvador chava
samantha sam
santiago chago james jim jimmy jaime
socorro coco
soledad chole
stephanie steph estefania
susana susan sue suzanne
teresa tere theresa terry
valentina vale
veronica vero
victoria vicky tori
"""

CANONICAL: dict[str, str] = {form: line.split()[0] for line in _GROUPS.strip().splitlines() for form in line.split()}
"""The first name of its line for each form, itself included."""
