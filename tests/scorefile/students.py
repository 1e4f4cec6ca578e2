"""Invented students as raw records, and files made of them."""

from airflow_provider_apscores.scorefile import csv_header, encode_csv_record, encode_record


def student(number=1, **values):
    """One ordinary record; *values* replace or add raw fields."""
    record = {
        "ap_id": f"AP{number:06}",
        "last_name": "RIVERA",
        "first_name": "ALEX",
        "middle_initial": "Q",
        "street_1": "1 INVENTED WAY",
        "state": "MA",
        "zip_code": "021391234",
        "gender": "F",
        "birth_date": "051407",
        "grade_level": "7",
        "best_language": "1",
        "award_type_1": "01",
        "award_year_1": "25",
        "high_school_code": "000123",
        "high_school_name": "INVENTED HIGH SCHOOL",
        "high_school_state": "MA",
        "high_school_zip_code": "02139",
        "college_code": "004866",
        "college_name": "INVENTED COLLEGE",
        "college_state": "MA",
        "college_zip_code": "02138",
        "admin_year_01": "25",
        "exam_code_01": "66",
        "exam_grade_01": "5",
        "admin_year_02": "24",
        "exam_code_02": "07",
        "exam_grade_02": "3",
        "released_date": "070125",
        "student_update_date": "070225",
        "report_date": "070725",
        "race_ethnicity_response": "NNNNYNNNNYN",
        "race_ethnicity_derived": "9",
    }
    return record | values


def of_report(record, report_date):
    """*record* in a report of another date (MMDDYY): its exams and awards are of that year."""
    years = {name: report_date[4:] for name, value in record.items() if value and name[:-3] == "admin_year"}
    return record | years | {"award_year_1": report_date[4:], "report_date": report_date}


def txt(records, layout="950", line_end=b"\n"):
    """A TXT file."""
    return b"".join(encode_record(each, layout) + line_end for each in records)


def csv_file(records, delimiter=",", line_end="\n"):
    """A CSV file."""
    lines = [csv_header(delimiter), *(encode_csv_record(each, delimiter) for each in records)]
    return "".join(line + line_end for line in lines).encode()
